// Memory of passes: large arrays in large pages, so that a number found anywhere in them costs no look at the page
// tables, and not written before a pass does.
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace steepest {

template <class T>
struct LargePages {
    using value_type = T;
    static constexpr std::size_t page = std::size_t(2) << 20;

    LargePages() = default;
    template <class U>
    LargePages(const LargePages<U>&) {}

    T* allocate(std::size_t n) {
        std::size_t bytes = n * sizeof(T);
        const bool large = is_large(n);
        if (large) bytes = (bytes + page - 1) / page * page;  // so that the last page is large too
        void* p = ::operator new(bytes, std::align_val_t(large ? page : 64));
#if defined(__linux__) && defined(MADV_HUGEPAGE)
        if (large) madvise(p, bytes, MADV_HUGEPAGE);  // where it is refused, pages stay small
#endif
        return static_cast<T*>(p);
    }
    void deallocate(T* p, std::size_t n) { ::operator delete(p, std::align_val_t(is_large(n) ? page : 64)); }
    static constexpr bool is_large(std::size_t n) { return n * sizeof(T) > page; }
    // Elements without a value are not written.
    template <class U>
    void construct(U* p) {
        ::new (static_cast<void*>(p)) U;
    }
    template <class U, class... Given>
    void construct(U* p, Given&&... given) {
        ::new (static_cast<void*>(p)) U(std::forward<Given>(given)...);
    }
    template <class U>
    bool operator==(const LargePages<U>&) const {
        return true;
    }
};

template <class T>
using Buffer = std::vector<T, LargePages<T>>;

}  // namespace steepest

#include "cpp/engine/file_rows.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

#include "cpp/engine/memory.hpp"

namespace steepest {
namespace {

constexpr std::size_t most_at_once = std::size_t(1) << 30;  // bytes: macOS refuses to read 2^31

// Fills memory from a place in a file. Returns 0, or the error's number; -1 where the file ends before.
int read_whole(int descriptor, char* to, std::size_t n_bytes, std::uint64_t offset) {
    while (n_bytes > 0) {
        const ssize_t n = ::pread(descriptor, to, std::min(n_bytes, most_at_once), off_t(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return errno;
        if (n == 0) return -1;
        to += n;
        n_bytes -= std::size_t(n);
        offset += std::uint64_t(n);
    }
    return 0;
}

// Has a buffer for each thread.
template <class S>
class FileReader : public RowReader<S> {
  public:
    explicit FileReader(const FileSection& section) : section_(section) {}

    void start(int n_threads, std::size_t most_elements) override {
        buffers_.resize(std::size_t(n_threads));
        for (Buffer<S>& buffer : buffers_) buffer.resize(most_elements);
    }
    // No rows once a read has failed.
    Rows<S> read(const Rows<S>& rows, int thread) override {
        const std::size_t d = rows.X.n_columns;
        S* x = buffers_[std::size_t(thread)].data();
        if (error_ == 0) {
            const int found = read_whole(section_.descriptor, reinterpret_cast<char*>(x), rows.count * d * sizeof(S),
                                         section_.offset + std::uint64_t(rows.begin) * d * sizeof(S));
            if (found != 0) error_ = found;
        }
        const std::size_t n = error_ == 0 ? rows.count : 0;
        const auto* weight = rows.weight ? rows.weight + rows.begin : nullptr;
        return {{x, n, d, Order::row_major}, rows.y + rows.begin, weight, nullptr, 0, n, 0};
    }
    void check() const {
        if (error_ == 0) return;
        const char* reason = error_ < 0 ? "it ended too soon" : std::strerror(error_);
        throw FileError(section_.name + " could not be read: " + reason);
    }

  private:
    const FileSection& section_;
    std::vector<Buffer<S>> buffers_;
    std::atomic<int> error_{0};
};

}  // namespace

template <class S>
double* FileSource<S>::sums(const Pass<T>& pass, Workspace<T>& workspace, Interrupt& interrupt) const {
    if (pass.rows.index) throw std::invalid_argument("X: rows in a file are read in their order");
    FileReader<S> reader(section_);
    double* found = this->add_up(pass, workspace, interrupt, &reader);
    reader.check();
    return found;
}

#define STEEPEST_INSTANTIATE(S, name) template class FileSource<S>;
STEEPEST_FOR_EACH_STORAGE(STEEPEST_INSTANTIATE)

}  // namespace steepest

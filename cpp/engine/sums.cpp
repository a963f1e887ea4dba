#include "cpp/engine/sums.hpp"

#include <utility>

namespace steepest {

Sums& Sums::operator+=(const Sums& more) {
    weight += more.weight;
    for (std::size_t i = 0; i < values.size(); ++i) values[i] += more.values[i];
    return *this;
}

void SumsTree::add(Sums part) {
    for (std::size_t size = 1; count_ & size; size *= 2) {
        subtrees_.back() += part;
        part = std::move(subtrees_.back());
        subtrees_.pop_back();
    }
    subtrees_.push_back(std::move(part));
    ++count_;
}

Sums SumsTree::total() const {
    Sums total = subtrees_.back();
    for (std::size_t i = subtrees_.size() - 1; i-- > 0;) {
        Sums left = subtrees_[i];
        left += total;
        total = std::move(left);
    }
    return total;
}

}  // namespace steepest

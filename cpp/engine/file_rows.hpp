// The source of dense rows in a section of a file, row-major. A pass reads them chunk by chunk, in the threads that add
// them up, while they are in the caches: they never go to memory. The chunks, and so the sums, are those of
// DenseSource.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

#include "cpp/engine/dense.hpp"

namespace steepest {

// Of an open file, which must stay open as long as the source. `name` is for errors.
struct FileSection {
    int descriptor;
    std::uint64_t offset;
    std::string name;
};

// A section could not be read whole.
struct FileError : std::runtime_error {
    using std::runtime_error::runtime_error;
};

// It has sums of all rows alone; what needs other things of rows reads them into an array first.
template <class S>
class FileSource : public DenseSource<S> {
  public:
    using T = ArithmeticOf<S>;
    FileSource(FileSection section, std::size_t n_rows, std::size_t n_columns, const T* y, const T* weight,
               double weight_sum)
        : DenseSource<S>({nullptr, n_rows, n_columns, Order::row_major}, y, weight, weight_sum),
          section_(std::move(section)) {}

    bool supports(Capability capability) const override { return capability == Capability::standardised_blocks; }
    double* sums(const Pass<T>&, Workspace<T>&, Interrupt&) const override;
    const T* row_slopes(const LossChoice& loss, const Coefficients<T>& point, const Selection& rows, T* slopes,
                        Workspace<T>& workspace) const override {
        return Source<T>::row_slopes(loss, point, rows, slopes, workspace);
    }
    HessianSums hessian(const Pass<T>& pass, bool with_gradient, Interrupt& interrupt) const override {
        return Source<T>::hessian(pass, with_gradient, interrupt);
    }
    void column_statistics(double* mean, double* deviation, Interrupt& interrupt) const override {
        Source<T>::column_statistics(mean, deviation, interrupt);
    }

  private:
    FileSection section_;
};

}  // namespace steepest

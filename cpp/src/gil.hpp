// Work without the GIL, which Ctrl-C still ends.
#pragma once

#include <pybind11/pybind11.h>

#include "steepest/interrupt.hpp"

namespace py = pybind11;

namespace steepest {

inline bool signal_arrived() {
    const py::gil_scoped_acquire gil;
    return PyErr_CheckSignals() != 0;
}

// Runs work(interrupt) without the GIL; Ctrl-C ends it with the exception that Python set.
template <class Work>
auto without_gil(Work work) {
    try {
        const py::gil_scoped_release release;
        Interrupt interrupt(&signal_arrived);
        return work(interrupt);
    } catch (const Interrupted&) {
        throw py::error_already_set();
    }
}

}  // namespace steepest

// Work without the GIL, which Ctrl-C still ends; for the bindings of both modules.
//
// When the interpreter ends, daemon threads may still be in native code. Before Python 3.14 a thread that then asks for
// the GIL is ended by pthread_exit, which glibc carries out by unwinding the thread's stack. C++ ends the whole process
// when that unwinding meets a destructor. So the thread stops here for ever, before any frame is unwound; Python 3.14
// does the same by itself. Where pthread_exit unwinds nothing (macOS, musl), the thread simply ends.
#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <thread>

#include "cpp/engine/interrupt.hpp"

namespace py = pybind11;

namespace steepest {

// Calls acquire(), which takes the GIL. It never returns, and destroys nothing, in a thread that the interpreter ends.
template <class Acquire>
auto acquire_or_park(Acquire acquire) noexcept {
    try {
        return acquire();
    } catch (...) {  // the unwinding of pthread_exit, which must not go on from here
        for (;;) std::this_thread::sleep_for(std::chrono::hours(24));
    }
}

// The thread state of a thread that released the GIL below.
inline PyThreadState*& released_state() {
    static thread_local PyThreadState* state = nullptr;
    return state;
}

// Releases the GIL, which this thread holds, until the end of the block.
class GilReleased {
  public:
    GilReleased() { released_state() = PyEval_SaveThread(); }
    ~GilReleased() { take_back(); }
    GilReleased(const GilReleased&) = delete;
    GilReleased& operator=(const GilReleased&) = delete;

    static void take_back() {
        acquire_or_park([] { PyEval_RestoreThread(released_state()); });
    }
};

// Takes the GIL for a block, in a thread that may or may not hold it, or know Python.
class GilHeld {
  public:
    GilHeld() : before_(acquire_or_park([] { return PyGILState_Ensure(); })) {}
    ~GilHeld() { PyGILState_Release(before_); }
    GilHeld(const GilHeld&) = delete;
    GilHeld& operator=(const GilHeld&) = delete;

  private:
    PyGILState_STATE before_;
};

// For work inside a GilReleased block: whether a signal's handler, such as that of Ctrl-C, raised an exception.
inline bool signal_arrived() {
    GilReleased::take_back();
    const bool raised = PyErr_CheckSignals() != 0;
    released_state() = PyEval_SaveThread();
    return raised;
}

// Runs work(interrupt) without the GIL; Ctrl-C ends it with the exception that Python set.
template <class Work>
auto without_gil(Work work) {
    try {
        const GilReleased released;
        Interrupt interrupt(&signal_arrived);
        return work(interrupt);
    } catch (const Interrupted&) {
        throw py::error_already_set();
    }
}

}  // namespace steepest

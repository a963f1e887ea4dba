"""What the CUDA module asks of the runtime: contexts, streams, captures, memory. The emulator counts and hinders it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest

import steepest as st
from cases import Problem
from device_arrays import Interface, on_device
from devices import Memory, emulated
from steepest import _core
from steepest.arrays import device
from steepest.arrays.device import DeviceArray

DATA = Problem("logistic", n=40, d=6, alpha=0.05)
BLOCKING_STREAM = 7 << 20  # any number that is no stream of its own


@pytest.fixture(params=["emulated"])
def runtime():
    """The emulated module, in use while the test runs."""
    with device.use(emulated()):
        yield emulated()


def there(stream=None, number=0):
    """The objective of DATA on a device, its arrays on a stream."""
    X, y, _ = (on_device(array, number=number) for array in DATA.data)
    if stream is not None:
        X, y = (Interface(array, stream=stream) for array in (X, y))
    return st.Logistic(X, y, alpha=0.05)


def with_stream(array, stream):
    array.stream = stream
    return array


# Contexts


def test_a_device_that_is_not_used_has_no_context(runtime):
    expected = DATA.objective.value_and_gradient(DATA.w0)
    runtime.emulated_forget_contexts()
    objective, w = there(number=1), on_device(DATA.w0, number=1)
    value, gradient = objective.value_and_gradient(w)
    optimizer = st.Adam()
    optimizer.step(w, gradient)
    result = st.minimize(objective, optimizer=st.Adam(), batch_size=8, max_epochs=2, random_state=0)
    np.testing.assert_allclose(gradient.numpy(), expected[1], rtol=1e-12)
    assert (value, result.w.device) == (pytest.approx(expected[0]), 1)
    optimizer.state_dict()
    del objective, w, gradient, optimizer, result
    assert runtime.emulated_contexts() == {1}
    assert runtime.emulated_current_context() == -1  # as before: other libraries still see device 0


def test_the_context_of_before_comes_back(runtime):
    on_device(np.zeros(3), number=0).wait()
    runtime.emulated_forget_contexts()
    runtime.emulated_stream()  # uses device 0
    before = runtime.emulated_current_context()
    there(number=1).value(on_device(DATA.w0, number=1))
    assert (before, runtime.emulated_current_context()) == (0, 0)


def test_a_look_at_an_address_makes_no_context(runtime):
    host = np.zeros(3)
    runtime.emulated_forget_contexts()
    assert runtime.device_of(host.ctypes.data) == -1
    assert runtime.emulated_contexts() == set()


# Copies of the host's memory, which may be read late


def test_an_order_of_rows_may_go_at_once(runtime):
    X, y, _ = DATA.data
    paths = []
    for spoilt in (False, True):
        memory = Memory(runtime)
        objective = runtime.Objective(
            "logistic", "float64", memory.put(X), 40, 6, True, memory.put(y), 0, 40.0, True, 0.0, 0.05, 0, 1
        )
        descent = runtime.Descent(objective, runtime.Rule("gradient_descent"), memory.put(DATA.w0), (), 0, 8)
        order = _core.row_order(40, 3, 0)
        descent.start_epoch(order)
        if spoilt:
            order[:] = 0
        paths.append(np.empty((5, 7)))
        assert descent.run(np.full(5, 0.1), 60.0, paths[-1])[0] == 5
    np.testing.assert_array_equal(*paths)


# Captures of CUDA graphs


@contextmanager
def captured(runtime, stream):
    """Capture what the stream is given, into a graph whose launch is then asked for: it must be valid."""
    runtime.emulated_begin_capture(stream)
    try:
        yield
    finally:
        graph = runtime.emulated_end_capture(stream)
    runtime.emulated_launch_graph(graph, stream)


@pytest.mark.parametrize("own_stream", [True, False])  # False: the capture is on a stream that the step would wait for
@pytest.mark.parametrize("n_before", [0, 1])
def test_a_captured_step_is_refused(runtime, own_stream, n_before):
    w, g = np.linspace(-1, 1, 9), np.cos(np.arange(9.0))
    stream = runtime.emulated_stream() if own_stream else 1
    there_w, there_g = (with_stream(on_device(array), stream) for array in (w, g))
    ours, theirs = st.Adam(), st.Adam()
    for _ in range(n_before):
        ours.step(there_w, there_g)
    message = r"^optimizer.step cannot be captured into a CUDA graph: .*numbers"
    with captured(runtime, stream if own_stream else BLOCKING_STREAM), pytest.raises(RuntimeError, match=message):
        ours.step(there_w, there_g)
    assert ours.n_steps == n_before
    ours.step(there_w, there_g)
    for _ in range(n_before + 1):
        theirs.step(w, g)
    assert there_w.numpy().tobytes() == w.tobytes()


def test_a_captured_gradient_is_refused_and_the_capture_goes_on(runtime):
    stream = runtime.emulated_stream()
    objective, w = there(stream), with_stream(on_device(DATA.w0), stream)
    expected = objective.value_and_gradient(w)[1].numpy()
    with captured(runtime, stream):
        for call in (objective.value, objective.gradient, objective.value_and_gradient):
            with pytest.raises(RuntimeError, match=r"^a pass over the data cannot be captured into a CUDA graph"):
                call(w)
    np.testing.assert_array_equal(objective.gradient(w).numpy(), expected)


# Cooperative launches

WITHOUT_COOPERATION = """
import numpy as np, pytest, steepest as st
from cases import Problem, assert_follows
from devices import emulated
from steepest.arrays import device
from device_arrays import on_device
problem = Problem("logistic", n=40, d=6, alpha=0.05)
run = {"batch_size": 9, "max_epochs": 3, "random_state": 0, "record_path": True}
with device.use(emulated()):
    X, y, _ = problem.data
    ours = st.minimize(st.Logistic(on_device(X), on_device(y), alpha=0.05), None, st.Adam(0.02), **run)
    theirs = st.minimize(problem.objective, None, st.Adam(0.02), **run)
    assert_follows(ours.path, theirs.path, 1e-11)
    wide = np.zeros((2, 40_000))
    with pytest.raises(ValueError, match="X must have fewer columns for this GPU.*no cooperative launches.*40000"):
        st.Logistic(on_device(wide), on_device(np.ones(2)))
"""


@pytest.mark.emulated
def test_a_device_without_cooperative_launches():
    environment = {**os.environ, "EMULATED_COOPERATIVE": "0"}
    paths = [os.path.dirname(__file__), *sys.path]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_COOPERATION], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


# Memory that its owner uses again as soon as no view is left, on a stream that is not ordered with ours


class Owner:
    """Memory of a library whose deleter hands it to other work at once."""

    def __init__(self, module, array):
        self.module, self.array, self.nbytes = module, DeviceArray.from_numpy(array), array.nbytes

    def __del__(self):
        self.module.emulated_poison(self.array.pointer, self.nbytes)


class Foreign:
    """An array as JAX shows it: by DLPack, on the legacy stream."""

    def __init__(self, module, array):
        self.owner, self.shape, self.name = Owner(module, array), array.shape, array.dtype.name

    def __dlpack_device__(self):
        return 2, 0

    def __dlpack__(self, *, stream=None, max_version=None):
        return _core.to_dlpack(self.owner.array.pointer, self.shape, self.name, 2, 0, self.owner, True)


@pytest.mark.parametrize("end", ["of the step", "of the optimizer", "of the run"])
def test_a_gradient_is_kept_until_the_step_has_read_it(runtime, end):
    w, g, theirs = np.linspace(-1, 1, 9), np.cos(np.arange(9.0)), st.Adam()
    there_w, ours = on_device(w), st.Adam()
    for _ in range(3):
        ours.step(there_w, Foreign(runtime, g))
        theirs.step(w, g)
        if end == "of the step":
            assert there_w.numpy().tobytes() == w.tobytes()
    if end == "of the optimizer":
        del ours
    assert there_w.numpy().tobytes() == w.tobytes()


def test_views_that_are_done_are_dropped(runtime):
    dropped = []

    class Told(Owner):
        def __del__(self):
            dropped.append(self)

    w, optimizer = on_device(np.zeros(3)), st.GradientDescent(0.1)
    for _ in range(3):
        gradient = Foreign(runtime, np.ones(3))
        gradient.owner.__class__ = Told
        optimizer.step(w, gradient)
        del gradient
        w.numpy()
    assert len(dropped) == 2
    del optimizer
    assert len(dropped) == 3


# Streams that are not ordered with the legacy one


def test_streams_of_their_own(runtime):
    first, second = runtime.emulated_stream(), runtime.emulated_stream()
    objective = there(first)
    w = with_stream(on_device(DATA.w0), second)
    expected, ours, theirs = DATA.w0.copy(), st.Adam(), st.Adam()
    for _ in range(3):
        value, gradient = objective.value_and_gradient(w)
        value_here, gradient_here = DATA.objective.value_and_gradient(expected)
        assert value == pytest.approx(value_here, rel=1e-12)
        ours.step(w, gradient)
        theirs.step(expected, gradient_here)
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-11)
    result = st.minimize(objective, optimizer=st.Adam(0.02), batch_size=9, max_epochs=2, random_state=0)
    here = st.minimize(DATA.objective, optimizer=st.Adam(0.02), batch_size=9, max_epochs=2, random_state=0)
    np.testing.assert_allclose(result.w.numpy(), here.w, rtol=1e-9)

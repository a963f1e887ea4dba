"""The default streams of threads have one number: what one thread queued on its own is waited for by the others."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

import steepest as st
from cases import Problem
from device_arrays import Interface, on_device
from devices import emulated
from steepest.arrays import device
from steepest.arrays.device_streams import ThreadStream, as_stream, is_elsewhere
from steepest.arrays.interop import as_native

DATA = Problem("logistic", n=300, d=40, dtype=np.float32, alpha=0.05)
OWN = 2  # the number of each thread's own stream


@pytest.fixture(params=["emulated"])
def runtime():
    """The emulated module, in use while the test runs: its threads have streams that are not ordered."""
    with device.use(emulated()):
        yield emulated()


@pytest.fixture
def elsewhere():
    """A function that calls another one in another thread, the same for the whole test."""
    with ThreadPoolExecutor(1) as pool:
        yield lambda function: pool.submit(function).result()


def test_a_stream_is_told_by_its_thread(elsewhere):
    own, other = as_stream(OWN), elsewhere(lambda: as_stream(OWN))
    assert own == as_stream(OWN) == OWN
    assert (own != ThreadStream()) is False  # by its own __ne__
    assert own != other
    assert other != OWN
    assert (is_elsewhere(own), is_elsewhere(other), elsewhere(lambda: is_elsewhere(other))) == (False, True, False)
    assert [as_stream(n) for n in (None, 0, 1, 7)] == [1, 1, 1, 7]
    assert len({own, as_stream(OWN), other}) == 2


def read_at_once(runtime, pointer):
    """The four numbers that are at an address before anything else has run."""
    found = np.empty(4, np.float32)
    runtime.copy_to_host(pointer, found, 0, runtime.emulated_stream())
    return found


SHARE = {
    "numpy": lambda array: array.numpy(),
    "wait": lambda array: array.wait(),
    "interface": lambda array: array.__cuda_array_interface__,
    "dlpack": lambda array: array.__dlpack__(stream=OWN),
    "a view": lambda array: as_native("w", array),
}


@pytest.mark.parametrize("share", SHARE)
def test_an_array_of_another_thread_is_waited_for(runtime, elsewhere, share):
    array = elsewhere(lambda: st.DeviceArray.zeros((4,), "float32", stream=OWN))
    assert np.isnan(read_at_once(runtime, array.pointer)).all()
    SHARE[share](array)
    np.testing.assert_array_equal(read_at_once(runtime, array.pointer), np.zeros(4))


def test_the_state_of_steps_of_another_thread_is_waited_for(runtime, elsewhere):
    rng = np.random.default_rng(0)
    gradients = [rng.standard_normal(5) for _ in range(3)]
    expected, optimizer = np.zeros(5), st.Adam(0.1)
    w, ours = on_device(np.zeros(5)), st.Adam(0.1)
    w.stream = as_stream(OWN)
    there = [Interface(on_device(g), stream=OWN) for g in gradients]  # a copy waits for all threads
    for t, g in enumerate(gradients):
        optimizer.step(expected, g)
        call = elsewhere if t % 2 else lambda function: function()
        call(lambda: ours.step(w, there[t]))  # noqa: B023
    np.testing.assert_allclose(w.numpy(), expected, rtol=1e-14)


@pytest.mark.parametrize("read", ["value", "gradient"])
def test_an_objective_of_another_thread_is_ready(runtime, elsewhere, read):
    X, y, _ = DATA.data
    there, targets, w = on_device(X), on_device(y), on_device(DATA.w0)
    w.stream = as_stream(OWN)  # that of another library's array in this thread

    def make():
        made = st.Logistic(Interface(there, stream=OWN), targets, alpha=0.05)
        made.native  # noqa: B018
        return made

    objective = elsewhere(make)
    found = getattr(objective, read)(w)
    expected = getattr(DATA.objective, read)(DATA.w0)
    np.testing.assert_allclose(found if read == "value" else found.numpy(), expected, rtol=1e-5, atol=1e-6)
    assert elsewhere(lambda: objective.value(w)) == objective.value(w)


def test_memory_of_a_threads_stream_is_not_pooled(runtime):
    buffer = runtime.Buffer(64, 0, OWN)
    pointer = buffer.pointer
    buffer.free()
    assert runtime.device_of(pointer) == -1


def test_threads_free_a_buffer_once(runtime):
    n, both = 50, Barrier(2)
    buffers = [runtime.Buffer(64, 0) for _ in range(n)]
    runtime.emulated_forget_calls()

    def free():
        for buffer in buffers:
            both.wait()
            buffer.free()

    with ThreadPoolExecutor(2) as pool:
        for each in [pool.submit(free), pool.submit(free)]:
            each.result()
    assert runtime.emulated_calls()["cudaFree"] == n

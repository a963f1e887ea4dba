"""The memory of gradients on a device: used again without an allocation, or given by `out`."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import steepest as st
from cases import Problem
from device_arrays import Interface, csr_on_device, on_device
from devices import emulated
from steepest.arrays import device
from steepest.arrays.interop import as_native

DATA = Problem("logistic", n=40, d=6, alpha=0.05)
MEMORY_CALLS = ("cudaMalloc", "cudaFree", "cudaDeviceSynchronize")


@pytest.fixture(params=["emulated"])
def runtime():
    """The emulated module, in use while the test runs."""
    with device.use(emulated()):
        yield emulated()


def dense():
    """The objective of DATA on a device."""
    X, y, _ = DATA.data
    return st.Logistic(on_device(X), on_device(y), alpha=0.05)


def sparse():
    """The objective of the positive elements of DATA's X, as sparse rows on a device."""
    X, y, _ = DATA.data
    csr_array = pytest.importorskip("scipy.sparse").csr_array
    return st.Logistic(csr_on_device(csr_array(np.where(X > 0, X, 0.0))), on_device(y), alpha=0.05)


@pytest.mark.parametrize("make", [dense, sparse])
@pytest.mark.parametrize("given", [False, True])
def test_steps_allocate_nothing_after_the_first(runtime, make, given):
    objective, w, optimizer = make(), on_device(DATA.w0), st.Adam()
    out = on_device(np.zeros(7)) if given else None
    gradient = None
    for step in range(6):
        if step == 2:
            runtime.emulated_forget_calls()
        _, gradient = objective.value_and_gradient(w, out=out) if given else objective.value_and_gradient(w)
        optimizer.step(w, gradient)
        objective.value(w)
    calls = runtime.emulated_calls()
    assert {name: calls.get(name, 0) for name in MEMORY_CALLS} == dict.fromkeys(MEMORY_CALLS, 0)
    assert calls["cudaLaunchKernelExC"] >= 4 * 3


def test_memory_that_is_used_again_was_let_go(runtime):
    objective, w = dense(), on_device(DATA.w0)
    expected = objective.gradient(w).numpy()
    first, second = objective.gradient(w), objective.gradient(w)
    assert first.pointer != second.pointer
    view, pointer = as_native("g", first), first.pointer
    del first
    assert objective.gradient(w).pointer != pointer
    del view
    again = objective.gradient(w)
    assert again.pointer == pointer
    for gradient in (second, again):
        np.testing.assert_array_equal(gradient.numpy(), expected)


@pytest.mark.parametrize(
    ("share", "freed"),
    [
        (lambda g, s: g.__cuda_array_interface__, True),
        (lambda g, s: g.__dlpack__(stream=-1), True),
        (lambda g, s: g.__dlpack__(stream=s), True),
        (lambda g, s: g.__dlpack__(stream=1), False),
        (lambda g, s: g.__dlpack__(), False),
    ],
)
def test_memory_shared_with_other_streams_is_freed(runtime, share, freed):
    objective, w = dense(), on_device(DATA.w0)
    objective.gradient(w)
    gradient = objective.gradient(w)
    pointer, shown = gradient.pointer, share(gradient, runtime.emulated_stream())
    runtime.emulated_forget_calls()
    del gradient, shown
    assert runtime.emulated_calls().get("cudaFree", 0) == int(freed)
    assert runtime.device_of(pointer) == (-1 if freed else 0)


@pytest.mark.parametrize(("stream", "again"), [(1, True), (2, False)], ids=["legacy", "of the thread"])
def test_memory_is_used_again_on_a_stream_that_is_one(runtime, stream, again):
    X, y, _ = DATA.data
    objective = st.Logistic(Interface(on_device(X), stream=stream), on_device(y))
    w = on_device(DATA.w0)
    objective.gradient(w)
    runtime.emulated_forget_calls()
    objective.gradient(w)  # each thread has its own stream 2: another one's work may still read what is freed
    assert (runtime.emulated_calls().get("cudaFree", 0) == 0) == again


def test_memory_that_nobody_uses_makes_room(runtime):
    runtime.Buffer(1 << 20, 0, 1)  # goes to the pool
    runtime.emulated_forget_calls()
    with pytest.raises(MemoryError, match="the GPU's memory is full"):
        runtime.Buffer(1 << 50, 0)
    assert runtime.emulated_calls()["cudaFree"] >= 1


def test_a_gradient_of_cupys_is_used_again(runtime, monkeypatch):
    array = type("ndarray", (Interface,), {"__module__": "cupy"})

    def asarray(there):
        there.__cuda_array_interface__  # noqa: B018
        return array(there)

    stream = SimpleNamespace(ptr=0)
    cupy = SimpleNamespace(asarray=asarray, cuda=SimpleNamespace(get_current_stream=lambda: stream))
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    objective, w = dense(), array(on_device(DATA.w0))
    objective.gradient(w)
    runtime.emulated_forget_calls()
    for _ in range(3):
        objective.gradient(w)
    assert runtime.emulated_calls().get("cudaFree", 0) == 0
    stream.ptr = runtime.emulated_stream()
    objective.gradient(w)
    assert runtime.emulated_calls()["cudaFree"] == 1


def test_out(cuda):
    objective, w = dense(), on_device(DATA.w0)
    value, expected = objective.value_and_gradient(w)
    whole = on_device(np.full(10, np.nan))
    out = Interface(whole, shape=(7,), data=(whole.pointer + 8, False))
    found = objective.value_and_gradient(w, out=out)
    assert found[0] == value
    assert found[1] is out
    np.testing.assert_array_equal(whole.numpy()[1:8], expected.numpy())
    assert np.isnan(whole.numpy()[[0, 8, 9]]).all()


@pytest.mark.parametrize("make", [dense, sparse])
def test_a_bad_out_is_named(cuda, make):
    objective, w = make(), on_device(DATA.w0)
    y = as_native("y", objective.y)
    cases = {
        r"contiguous float64 array of shape \(7,\).*got float64 of shape \(8,\)": on_device(np.zeros(8)),
        "float32": on_device(np.zeros(7, np.float32)),
        "in the memory of CUDA device 0.*the host's memory": np.zeros(7),
        "writeable, got a read-only array": Interface(on_device(np.zeros(7)), read_only=True),
        "not overlap w": w,
        "not overlap y": Interface(SimpleNamespace(pointer=y.pointer + 8, shape=(7,), dtype=np.dtype(float))),
        r"strides \(2,\)": Interface(on_device(np.zeros(14)), shape=(7,), strides=(16,)),
    }
    for message, out in cases.items():
        with pytest.raises((TypeError, ValueError), match=f"^out must .*{message}"):
            objective.value_and_gradient(w, out=out)


def test_out_is_for_devices():
    with pytest.raises(NotImplementedError, match=r"^out is implemented for data on a CUDA device only"):
        DATA.objective.value_and_gradient(DATA.w0, out=np.zeros(7))

"""Arrays on a device: how they come and go, and what `info` says of devices."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

import steepest as st
from cases import Problem
from device_arrays import Interface, OnlyDLPack, on_device
from steepest import _core
from steepest.arrays import device
from steepest.arrays.device import DeviceArray, numpy_dtype
from steepest.arrays.interop import as_native, like
from storages import STORAGES

# What info says, and the errors where there is no device


def fake(reason=None, count=2):
    described = {"name": "A device", "compute_capability": (9, 0), "memory": 80 * 2**30, "multiprocessors": 132}
    return SimpleNamespace(reason=lambda: reason, device_count=lambda: count, device=lambda number: described)


def test_info_names_the_devices():
    with device.use(fake()):
        assert st.info()["cuda"] == "; ".join(["A device (compute capability 9.0, 80.0 GiB)"] * 2)


def test_info_says_why_no_device_can_be_used():
    with device.use(fake("no NVIDIA driver was found (CUDA error 35)", 0)):
        assert st.info()["cuda"] == "not available: no NVIDIA driver was found (CUDA error 35)"
        with pytest.raises(
            RuntimeError, match=r"need a CUDA device that can be used: no NVIDIA driver was found.*copy the arrays"
        ):
            DeviceArray.zeros((3,), "float32")


@pytest.mark.parametrize("reason", ["no nvcc was found", "STEEPEST_CUDA=OFF"])
def test_info_says_why_the_module_was_not_built(reason, monkeypatch):
    monkeypatch.setattr(_core, "cuda_reason", reason)
    monkeypatch.setattr(device, "_found", [])
    monkeypatch.setattr(device, "_used", [])
    assert st.info()["cuda"] == f"not available: the CUDA module was not built ({reason})"
    array = Interface(SimpleNamespace(pointer=4096, shape=(3,), dtype=np.dtype(np.float32)))
    for objects in ((array, array), (np.zeros(3), array), (OnlyDLPack(array), array)):
        with pytest.raises(RuntimeError, match=rf"not built \({reason}\): build steepest .*STEEPEST_CUDA=ON.*copy"):
            st.GradientDescent(0.1).step(*objects)


def test_info_says_why_the_module_cannot_be_imported(monkeypatch):
    monkeypatch.setattr(_core, "cuda_reason", "")
    monkeypatch.setattr(device, "_found", [])
    monkeypatch.setattr(device, "_used", [])
    monkeypatch.setattr(device, "import_module", lambda name: __import__("steepest._no_such_module"))
    assert "No module named" in st.info()["cuda"]


# DeviceArray


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3, 5), (2, 3, 4)])
@pytest.mark.parametrize("dtype", [numpy_dtype(name) for name in STORAGES], ids=str)
def test_round_trip(cuda, shape, dtype):
    array = np.zeros(shape, dtype)
    array.reshape(-1).view(np.uint8)[:] = np.arange(array.nbytes) % 200
    there = DeviceArray.from_numpy(array)
    assert (there.shape, there.dtype, there.size, there.ndim) == (array.shape, array.dtype, array.size, array.ndim)
    back = there.numpy()
    assert (back.dtype, back.tobytes()) == (array.dtype, array.tobytes())


def test_from_numpy_takes_any_layout(cuda):
    array = np.arange(24.0).reshape(4, 6)
    for view in (array.T, array[::2, 1:], array[:, ::-1]):
        np.testing.assert_array_equal(DeviceArray.from_numpy(view).numpy(), view)


def test_a_device_array_shows_its_memory(cuda):
    there = DeviceArray.from_numpy(np.arange(6, dtype=np.float32).reshape(2, 3))
    shown = there.__cuda_array_interface__
    assert shown == {"shape": (2, 3), "typestr": "<f4", "data": (there.pointer, False), "version": 3, "stream": 1}
    assert there.__dlpack_device__() == (2, 0)
    for view in (as_native("X", there), as_native("X", Interface(there)), as_native("X", OnlyDLPack(there))):
        assert (view.pointer, view.shape, view.strides) == (there.pointer, (2, 3), (3, 1))
        assert (view.dtype, view.device, view.stream, view.read_only) == ("float32", 0, 1, False)
    assert "dltensor_versioned" in repr(there.__dlpack__(max_version=(1, 1)))
    assert '"dltensor"' in repr(there.__dlpack__(stream=-1))
    assert repr(there) == "DeviceArray(shape=(2, 3), dtype=float32, device=0)"


def test_memory_lives_as_long_as_a_view(cuda):
    there = DeviceArray.from_numpy(np.arange(3.0))
    pointer, views = there.pointer, [as_native("w", there), as_native("w", OnlyDLPack(there))]
    del there
    while views:
        assert cuda.device_of(pointer) == 0
        views.pop()
    assert cuda.device_of(pointer) == -1


def test_bad_uses_of_a_device_array_are_named(cuda):
    there = DeviceArray.from_numpy(np.zeros(3))
    with pytest.raises(TypeError, match=r"copied to host memory implicitly.*numpy\(\)"):
        np.asarray(there)
    with pytest.raises(TypeError, match=r"pickled.*numpy\(\)"):
        pickle.dumps(there)
    for keywords in ({"copy": True}, {"dl_device": (1, 0)}):
        with pytest.raises(BufferError, match="without a copy"):
            there.__dlpack__(**keywords)
    for array in ([1.0], 3.0):
        with pytest.raises(TypeError, match=r"^array must be a NumPy array, got"):
            DeviceArray.from_numpy(array)
    with pytest.raises(TypeError, match=r"^dtype must be one of float32, .*got int64"):
        DeviceArray.from_numpy(np.zeros(3, int))
    for number in (-1, 99, True, 0.0):
        with pytest.raises(ValueError, match=rf"^device must be an integer from 0 to \d+, got {number}"):
            DeviceArray.from_numpy(np.zeros(3), number)
    with pytest.raises(MemoryError, match="full"):
        DeviceArray((1 << 50,), "float64")


# __cuda_array_interface__


def interface(**more):
    there = DeviceArray.from_numpy(np.zeros((4, 2)))
    return Interface(there, **more)


def test_what_the_interface_says_is_taken(cuda):
    assert as_native("X", interface(stream=2)).stream == 2
    assert as_native("X", interface(stream=123456)).stream == 123456
    assert as_native("X", interface(stream=None)).stream == 1
    assert as_native("X", interface(version=2, stream=None)).stream == 1
    assert as_native("X", interface(strides=(8, 32))).strides == (1, 4)
    view = as_native("X", Interface(DeviceArray.from_numpy(np.zeros(3)), read_only=True))
    assert view.read_only
    half = Interface(DeviceArray((3,), "bfloat16"))
    assert as_native("X", half).dtype == "bfloat16"


BAD_INTERFACES = {
    "a mask": ({"mask": object()}, TypeError, r"^X must be an array without a mask"),
    "stream 0": ({"stream": 0}, ValueError, r"^X must .*stream 0"),
    "a stream that is none": ({"stream": "s"}, ValueError, r"^X must .*stream 's'"),
    "strides within elements": ({"strides": (12, 4)}, ValueError, r"^X must have strides of whole elements.*\(12, 4\)"),
    "the other byte order": ({"typestr": ">f8"}, TypeError, r"^X must be in this machine's byte order, got >f8"),
    "memory that is not a device's": ({"data": (64, False)}, ValueError, r"^X must be in the memory of a CUDA device"),
}


@pytest.mark.parametrize("case", BAD_INTERFACES)
def test_bad_interfaces_are_named(cuda, case):
    more, error, message = BAD_INTERFACES[case]
    with pytest.raises(error, match=message):
        st.LeastSquares(interface(**more), on_device(np.zeros(4)))


def test_results_come_in_the_callers_library(cuda, monkeypatch):
    array = type("ndarray", (Interface,), {"__module__": "cupy"})
    streams = SimpleNamespace(get_current_stream=object)
    monkeypatch.setitem(__import__("sys").modules, "cupy", SimpleNamespace(asarray=array, cuda=streams))
    problem = Problem()
    X, y, _ = (array(on_device(a)) for a in problem.data)
    objective = st.LeastSquares(X, y)
    assert isinstance(objective.gradient(array(on_device(problem.w0))), array)
    assert isinstance(objective.gradient(on_device(problem.w0)), DeviceArray)
    assert isinstance(st.minimize(objective, max_epochs=1).w, array)
    assert isinstance(like(np.zeros(3), array(on_device(np.zeros(3)))), np.ndarray)


def test_what_would_lose_something_on_the_way_is_named(cuda):
    with pytest.raises(TypeError, match=r"^array must be in this machine's byte order, got >f4"):
        st.DeviceArray.from_numpy(np.arange(3, dtype=">f4"))
    with pytest.raises(TypeError, match=r"^array must have no mask, got a masked array"):
        st.DeviceArray.from_numpy(np.ma.masked_array(np.arange(3.0), [True, False, False]))


@pytest.mark.parametrize("shape", [3, [3], (-1,), (2.5,)])
def test_a_shape_that_is_none_is_named(cuda, shape):
    with pytest.raises(ValueError, match=r"^shape must be a tuple of integers of at least 0, got"):
        DeviceArray.zeros(shape, "float32")

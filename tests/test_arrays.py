"""Arrays of other libraries: DLPack of both versions, who lives how long, and what cannot be taken."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import steepest as st
from steepest import _core
from steepest.arrays.device import BFLOAT16
from steepest.arrays.interop import as_native, like

CPU, CUDA, CUDA_HOST, METAL = 1, 2, 3, 8


class Owner:
    """What keeps memory alive; a weak reference tells when it is let go."""


class Producer:
    """An array with DLPack's two methods over the memory of a NumPy array."""

    def __init__(self, array, *, kind=CPU, versioned=True, read_only=False, dtype=None):
        self.array, self.kind, self.versioned, self.read_only = array, kind, versioned, read_only
        self.dtype = dtype or array.dtype.name
        self.owner, self.calls, self.capsule = Owner(), [], None

    def __dlpack_device__(self):
        return self.kind, 0

    def __dlpack__(self, **keywords):
        self.calls.append(keywords)
        versioned = self.versioned and "max_version" in keywords
        pointer, shape = self.array.ctypes.data, self.array.shape
        self.capsule = _core.to_dlpack(
            pointer, shape, self.dtype, self.kind, 0, self.owner, versioned, self.read_only and versioned
        )
        return self.capsule


class OldProducer(Producer):
    """One from before there were versions."""

    def __dlpack__(self, stream=None):
        return super().__dlpack__()


each_version = pytest.mark.parametrize("producer", [Producer, OldProducer])


@each_version
def test_memory_is_shared_and_let_go_once(producer):
    array = np.arange(6.0).reshape(2, 3)
    given = producer(array)
    owner = weakref.ref(given.owner)
    view = as_native("X", given)
    capsule = given.capsule
    assert view.ctypes.data == array.ctypes.data
    assert (view.shape, view.dtype, view.strides) == (array.shape, array.dtype, array.strides)
    assert view.flags.writeable
    assert '"used_dltensor' in repr(capsule)
    part = view[:, 1:]
    del given, view
    gc.collect()
    assert owner() is not None
    np.testing.assert_array_equal(part, array[:, 1:])
    del part
    assert owner() is None
    del capsule  # it was consumed: its end lets nothing go


@pytest.mark.parametrize("versioned", [True, False])
def test_a_capsule_that_nobody_takes_lets_go(versioned):
    owner = Owner()
    gone = weakref.ref(owner)
    capsule = _core.to_dlpack(0, (0,), "float32", CPU, 0, owner, versioned)
    del owner
    assert gone() is not None
    assert ('"dltensor_versioned"' if versioned else '"dltensor"') in repr(capsule)
    del capsule
    assert gone() is None


def test_a_capsule_is_taken_once():
    given = Producer(np.ones(3))
    capsule = given.__dlpack__()
    given.__dlpack__ = None
    holder = type("Holder", (), {"__dlpack__": lambda self, **keywords: capsule})()
    first = _core.open_dlpack(holder)
    with pytest.raises(TypeError, match=r"new DLPack capsule.*used_dltensor"):
        _core.open_dlpack(holder)
    np.testing.assert_array_equal(first, np.ones(3))


@pytest.mark.parametrize("name", ["float32", "float64", "float16", "int8", "uint16", "int64", "bool", "complex128"])
@each_version
def test_dtypes(producer, name):
    array = np.array([1, 0, 1], name)
    view = as_native("y", producer(array))
    assert view.dtype == name
    np.testing.assert_array_equal(view, array)


@each_version
def test_bfloat16_is_a_field_of_that_name(producer):
    bits = np.array([0x3F80, 0xC000], np.uint16)
    view = as_native("X", producer(bits, dtype="bfloat16"))
    assert view.dtype == BFLOAT16
    np.testing.assert_array_equal(view["bfloat16"], bits)


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (1, 1), (2, 3, 4)])
@each_version
def test_shapes(producer, shape):
    view = as_native("w", producer(np.zeros(shape)))
    assert (view.shape, view.flags.c_contiguous) == (shape, True)


def test_read_only_stays_read_only():
    view = as_native("w", Producer(np.zeros(3), read_only=True))
    assert not view.flags.writeable
    with pytest.raises(BufferError, match="read-only"):
        _core.to_dlpack(0, (1,), "float32", CPU, 0, None, versioned=False, read_only=True)
    with pytest.raises(ValueError, match=r"^w must be writeable, got a read-only array"):
        st.GradientDescent(0.1).step(Producer(np.zeros(3), read_only=True), np.ones(3))


def test_unaligned_memory_is_seen():
    whole = np.zeros(33, np.uint8)
    array = whole[1:].view(np.float64)
    with pytest.raises(ValueError, match=r"^y must .*aligned"):
        st.LeastSquares(np.ones((4, 1)), Producer(array))


def test_pinned_memory_is_memory_of_the_cpu():
    array = np.ones(4)
    assert as_native("y", Producer(array, kind=CUDA_HOST)).ctypes.data == array.ctypes.data


def test_numpy_and_what_is_no_array_pass():
    array = np.ones(3)
    for passed in (array, [1.0], None, 3, np.float64(2.0)):
        assert as_native("w", passed) is passed


def test_other_devices_are_named():
    with pytest.raises(TypeError, match=r"^X must be in the memory of the CPU or of a CUDA device, got Metal"):
        st.LeastSquares(Producer(np.ones((2, 2)), kind=METAL), np.ones(2))
    with pytest.raises(TypeError, match=r"^y must .*got DLPack device type 99"):
        st.LeastSquares(np.ones((2, 2)), Producer(np.ones(2), kind=99))


def failing(error):
    def method(self, **keywords):
        raise error

    return method


@pytest.mark.parametrize("error", [BufferError("no"), TypeError("no"), RuntimeError("no"), ValueError("no")])
@pytest.mark.parametrize("method", ["__dlpack__", "__dlpack_device__"])
def test_a_producer_that_refuses_is_named(error, method):
    refusing = type("Refusing", (Producer,), {method: failing(error)})(np.ones(2))
    with pytest.raises(TypeError, match=r"^gradient must be an array that DLPack can share, got Refusing: no"):
        st.GradientDescent(0.1).step(np.zeros(2), refusing)


@pytest.mark.parametrize("capsule", [None, 3])
def test_what_is_no_capsule_is_named(capsule):
    strange = type("Strange", (Producer,), {"__dlpack__": lambda self, **keywords: capsule})(np.ones(2))
    with pytest.raises(TypeError, match=rf"^w must .*DLPack.*Strange.*capsule, got {capsule}"):
        as_native("w", strange)


def test_arrays_of_unknown_libraries_get_numpy_back():
    X, y, w = np.ones((4, 2)), np.arange(4.0), np.zeros(3)
    ours = st.LeastSquares(Producer(X), Producer(y), sample_weight=Producer(np.ones(4)))
    value, gradient = ours.value_and_gradient(Producer(w))
    assert (value, gradient.tolist()) == (3.5, st.LeastSquares(X, y).gradient(w).tolist())
    assert like(gradient, Producer(w)) is gradient


def test_what_cannot_be_given_away():
    with pytest.raises(TypeError, match="unknown dtype 'float8'"):
        _core.to_dlpack(0, (1,), "float8", CPU, 0, None)


def test_ml_dtypes_bfloat16_is_viewed():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    array = np.array([1.0, -2.0], ml_dtypes.bfloat16)
    view = as_native("X", array)
    assert (view.dtype, view.ctypes.data) == (BFLOAT16, array.ctypes.data)

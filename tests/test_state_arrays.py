"""Where the arrays of an optimizer's state lie: large ones at different places of a page, with the same results."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import steepest as st
from steepest.optimizers import state_arrays

LARGE = 40_001  # parameters, of more than 128 KiB in either dtype


def places(arrays):
    return [array.ctypes.data % 4096 for array in arrays]


def stepped(optimizer, dtype, steps=3):
    random = np.random.default_rng(0)
    w, gradient = (random.standard_normal(LARGE).astype(dtype) for _ in range(2))
    for _ in range(steps):
        optimizer.step(w, gradient)
    return w


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_states_lie_apart(dtype):
    optimizer = st.Adam()
    optimizer.step(np.ones((7, LARGE), dtype), np.ones((7, LARGE), dtype))
    found = optimizer._state
    for array in found:
        assert (array.shape, array.dtype, array.flags.c_contiguous) == ((7, LARGE), np.dtype(dtype), True)
    for a, b in itertools.combinations([16, *places(found)], 2):  # NumPy's large arrays begin at 16
        assert min(abs(a - b), 4096 - abs(a - b)) >= 1024
    assert all(place % 64 == 0 for place in places(found))


@pytest.mark.parametrize("make", [st.Adam, st.AdaGrad, lambda: st.Momentum(0.01), st.RMSProp])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_place_changes_no_bit(make, dtype):
    optimizer, plain = make(), make()
    n_states = len(optimizer._states)
    right = stepped(optimizer, dtype)
    plain.adopt(tuple(np.zeros(LARGE, dtype) for _ in range(n_states)))
    np.testing.assert_array_equal(stepped(plain, dtype), right)


def test_zeros_are_zeros_of_any_shape():
    for shape in ((), (0,), (3, 0), (5,), (LARGE,), (2, 3, LARGE)):
        for place in range(5):
            found = state_arrays.zeros(shape, np.float32, place)
            assert found.shape == shape
            assert not found.any()
            assert found.flags.writeable


def test_copies_lie_apart_and_are_copies():
    optimizer, other = st.Adam(), st.Adam()
    stepped(optimizer, "float32")
    kept = optimizer.state_dict()
    other.load_state_dict(kept)
    twin = optimizer.twin()
    for copy in (other, twin):
        assert len(set(places(copy._state))) == 2
        for ours, theirs, name in zip(copy._state, optimizer._state, kept["state"], strict=True):
            np.testing.assert_array_equal(ours, theirs)
            assert not np.shares_memory(ours, theirs)
            assert not np.shares_memory(ours, kept["state"][name])
    after = stepped(optimizer, "float32", 1)
    for copy in (other, twin):
        np.testing.assert_array_equal(stepped(copy, "float32", 1), after)

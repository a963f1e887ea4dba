"""A sparse X of more entries than 32 bits count. Its memory is reserved and, but for its end, never written."""

from __future__ import annotations

import mmap
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import steepest as st

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory is reserved without being used on Linux alone"),
]

MAP_NORESERVE = getattr(mmap, "MAP_NORESERVE", 0x4000)  # the module knows it since Python 3.13
N_LONG, LENGTH, N_SHORT, N_COLUMNS = 2049, 1 << 20, 5, 7


def reserved(n, dtype):
    size = n * np.dtype(dtype).itemsize
    return np.frombuffer(mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE), dtype)


@pytest.fixture(scope="module")
def problem():
    """Rows of a million zeros each in column 0 and, behind 2^31 entries, five rows of which every entry counts."""
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((N_SHORT, N_COLUMNS)) < 0.6, rng.standard_normal((N_SHORT, N_COLUMNS)), 0.0)
    row, column = np.nonzero(dense)
    n_zeros = N_LONG * LENGTH
    indices, data = reserved(n_zeros + len(row), np.int32), reserved(n_zeros + len(row), np.float32)
    indices[n_zeros:], data[n_zeros:] = column, dense[row, column]
    lengths = np.concatenate([np.full(N_LONG, LENGTH), np.bincount(row, minlength=N_SHORT)])
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    assert indptr[-1] > 2**31
    X = SimpleNamespace(data=data, indices=indices, indptr=indptr, shape=(N_LONG + N_SHORT, N_COLUMNS))
    y = np.concatenate([np.zeros(N_LONG), rng.integers(0, 2, N_SHORT)]).astype(np.float32)
    return X, y, np.vstack([np.zeros((N_LONG, N_COLUMNS)), dense])


def test_entries_beyond_two_to_the_31_count(problem):
    X, y, dense = problem
    w = np.linspace(-1, 1, N_COLUMNS + 1, dtype=np.float32)
    value, gradient = st.Logistic(X, y).value_and_gradient(w)
    expected, slopes = st.Logistic(dense, y.astype(float)).value_and_gradient(w.astype(float))
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient, slopes, atol=1e-7)


def test_rows_beyond_two_to_the_31_are_found_by_number(problem):
    X, y, dense = problem
    objective = st.Logistic(X, y)
    last = objective.data.taken(np.arange(N_LONG, N_LONG + N_SHORT))
    np.testing.assert_array_equal(last.X, dense[N_LONG:].astype(np.float32))

"""The memory of passes over a sparse X; and more entries than 32 bits count, in memory that is never written."""

from __future__ import annotations

import mmap
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

import steepest as st

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is reserved and measured in Linux's ways")

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


@pytest.mark.slow
def test_entries_beyond_two_to_the_31_count(problem):
    X, y, dense = problem
    w = np.linspace(-1, 1, N_COLUMNS + 1, dtype=np.float32)
    value, gradient = st.Logistic(X, y).value_and_gradient(w)
    expected, slopes = st.Logistic(dense, y.astype(float)).value_and_gradient(w.astype(float))
    assert value == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradient, slopes, atol=1e-7)


@pytest.mark.slow
def test_rows_beyond_two_to_the_31_are_found_by_number(problem):
    X, y, dense = problem
    objective = st.Logistic(X, y)
    last = objective.data.taken(np.arange(N_LONG, N_LONG + N_SHORT))
    np.testing.assert_array_equal(last.X, dense[N_LONG:].astype(np.float32))


MEMORY = """
import resource, sys, numpy as np, steepest as st
from types import SimpleNamespace
n, d, per_row, threads = (int(each) for each in sys.argv[1:])
rng = np.random.default_rng(0)
indices = np.sort(rng.integers(0, d, (n, per_row), dtype=np.int32), axis=1).ravel()
X = SimpleNamespace(data=rng.random(n * per_row, np.float32), indices=indices,
                    indptr=np.arange(0, n * per_row + 1, per_row), shape=(n, d))
objective, w = st.Logistic(X, np.zeros(n, np.float32)), np.ones(d + 1, np.float32)
spare = np.ones(30_000_000)  # so that what is freed while X was made is in use
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
with st.threads(threads):
    before = peak()
    gradient = objective.gradient(w)
    print(peak() - before - gradient.nbytes)
"""


@pytest.mark.parametrize("threads", [1, 2, 6])
@pytest.mark.parametrize(("n", "d", "per_row"), [(300_000, 1_000_000, 8), (400_000, 50_000, 8)])
def test_a_pass_needs_8_bytes_a_column_and_34_a_row(n, d, per_row, threads):
    command = [sys.executable, "-c", MEMORY, *map(str, (n, d, per_row, threads))]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    large_page = 2**21
    assert int(told.stdout) <= 8 * d + 34 * n + 3 * large_page

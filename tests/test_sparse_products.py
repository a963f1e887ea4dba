"""Hessian products of sparse rows, which read w and v of a column together where there is memory for it."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest import _core

sparse = pytest.importorskip("scipy.sparse")


def rows_of(n, d, per_row, dtype, seed=0):
    """Rows of 0 to 2 * per_row entries, in no order."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 2 * per_row, n)
    columns = rng.integers(0, d, lengths.sum()).astype(np.int32)
    values = (rng.standard_normal(len(columns)) / 4).astype(dtype)
    return sparse.csr_array((values, columns, np.append(0, np.cumsum(lengths))), shape=(n, d))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("ones", [False, True])
@pytest.mark.parametrize("d", [60_000, 400_000])
def test_side_by_side_or_apart_are_the_same_bits(isa, d, ones, dtype):
    """More columns, all of them empty, are not worth putting the numbers side by side. They change nothing else."""
    X = rows_of(600, 90, 20, dtype)
    if ones:
        X.data[:] = 1
    rng = np.random.default_rng(1)
    kept = np.float32 if dtype == np.float16 else dtype
    y = rng.integers(0, 2, 600).astype(kept)
    w, v = (rng.standard_normal((2, 91)) / 4).astype(kept)
    found = st.Logistic(X, y).hessian_product(w, v)
    wide = sparse.csr_array((X.data, X.indices, X.indptr), shape=(600, d))
    far = np.zeros((2, d + 1), kept)
    far[:, :90], far[:, -1] = (w[:90], v[:90]), (w[90], v[90])
    apart = st.Logistic(wide, y).hessian_product(*far)
    np.testing.assert_array_equal(found, np.append(apart[:90], apart[-1]))
    assert not apart[90:-1].any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wide_rows_give_what_scipy_gives(dtype):
    """2 X^T (X v) / n, as the loss (z - y)^2 has the curvature 2."""
    n, d = 100_000, 300_000
    X = rows_of(n, d, 20, dtype)
    v = np.random.default_rng(1).standard_normal(d).astype(dtype)
    found = st.LeastSquares(X, np.zeros(n, dtype), intercept=False).hessian_product(np.zeros(d, dtype), v)
    exact = X.astype(np.float64)
    wanted = 2.0 / n * (exact.T @ (exact @ v.astype(np.float64)))
    np.testing.assert_allclose(found, wanted, atol=(3e-6 if dtype == np.float32 else 1e-13) * np.abs(wanted).max())

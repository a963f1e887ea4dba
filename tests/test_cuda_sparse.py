"""Objectives of sparse rows on a device: the answers of the CPU and of SciPy, every kind of arrays, the same bits."""

from __future__ import annotations

import numpy as np
import pytest

from cases import LOSSES, each_loss
from device_arrays import csr_on_device, on_device
from steepest.arrays.device import DeviceArray

sparse = pytest.importorskip("scipy.sparse")

TOLERANCE = {np.dtype(np.float32): 2e-6, np.dtype(np.float64): 1e-13}
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def rows_of(n, d, dtype=np.float64, per_row=6, seed=0, longest=None):
    """A CSR array with empty rows and columns, columns in no order or twice in a row, explicit zeros, a long row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 2 * per_row + 1, n)
    lengths[n // 2] = 3 * d if longest is None else longest
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.minimum((d * rng.random(indptr[-1]) ** 2).astype(np.int64), max(d - 2, 0))
    data = rng.standard_normal(indptr[-1]) / np.sqrt(per_row)
    data[rng.random(data.size) < 0.05] = 0.0
    return sparse.csr_array((data.astype(dtype), indices, indptr), shape=(n, d))


def problem(loss, X, dtype, seed=1):
    """Targets, weights with absent rows, a point of moderate scores and a direction."""
    rng = np.random.default_rng(seed)
    n, d = X.shape
    weight = rng.uniform(0.2, 3.0, n)
    weight[rng.random(n) < 0.2] = 0.0
    weight[0] = 1.0
    y = LOSSES[loss].targets(rng.standard_normal(n))
    size = max(np.sqrt(np.diff(X.indptr).max()), 1.0)
    w, v = rng.standard_normal(d + 1) / size, rng.standard_normal(d + 1) / size
    return (*(each.astype(dtype) for each in (y, weight, w, v)),)


def numbers(X, loss, y, weight, w, v, intercept=True, alpha=0.0, l1_ratio=0.0):
    """The value, the gradient and the Hessian product in float64 by SciPy's products and the formulas of the loss."""
    X = sparse.csr_array((X.data.astype(float), X.indices, X.indptr), shape=X.shape)
    y, w, v = (each.astype(float) for each in (y, w, v))
    s = np.ones(len(y)) if weight is None else weight.astype(float)
    formula = LOSSES[loss].formula
    z = X @ w[: X.shape[1]] + (w[-1] if intercept else 0.0)
    u = X @ v[: X.shape[1]] + (v[-1] if intercept else 0.0)
    losses, slopes, curvatures = formula.value(z, y), formula.slope(z, y), formula.curvature(z, y)
    l1, l2, d = alpha * l1_ratio, alpha * (1 - l1_ratio), X.shape[1]

    def sums(r, point):
        found = np.append(X.T @ (s * r), [(s * r).sum()] * intercept) / s.sum()
        found[:d] += l2 * point[:d]
        return found

    value = (s * losses).sum() / s.sum() + l1 * np.abs(w[:d]).sum() + l2 / 2 * (w[:d] ** 2).sum()
    return value, sums(slopes, w), sums(curvatures * u, v)


def check(X, loss, dtype, indices=None, indptr=None, weighted=True, intercept=True, **options):
    y, weight, w, v = problem(loss, X, dtype)
    weight = weight if weighted else None
    w, v = (each if intercept else each[:-1] for each in (w, v))
    there = None if weight is None else on_device(weight)
    own = LOSSES[loss].objective(
        csr_on_device(X, indices, indptr), on_device(y), sample_weight=there, intercept=intercept, **options
    )
    expected, wanted, product = numbers(X, loss, y, weight, w, v, intercept, **options)
    value, gradient = own.value_and_gradient(on_device(w))
    tolerance = 10 * TOLERANCE[np.dtype(dtype)]
    assert value == pytest.approx(expected, rel=tolerance)
    assert own.value(on_device(w)) == value
    for found, exact in ((gradient, wanted), (own.hessian_product(on_device(w), on_device(v)), product)):
        assert isinstance(found, DeviceArray)
        assert found.dtype == dtype
        np.testing.assert_allclose(found.numpy(), exact, rtol=0, atol=tolerance * max(np.abs(exact).max(), 1.0))
    return own


@each_dtype
@each_loss
@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (40, 200), (2100, 33), (129, 5000)])
def test_follows_scipy(cuda, shape, loss, dtype):
    check(rows_of(*shape, dtype), loss, dtype, alpha=0.1, l1_ratio=0.3)


@each_dtype
@pytest.mark.parametrize("indices", [np.int32, np.int64])
@pytest.mark.parametrize("indptr", [np.int32, np.int64])
def test_takes_all_kinds_of_indices(cuda, dtype, indices, indptr):
    check(rows_of(300, 40, dtype), "logistic", dtype, indices, indptr)


@each_loss
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_weights_and_intercept(cuda, loss, weighted, intercept):
    check(rows_of(200, 30), loss, np.float64, weighted=weighted, intercept=intercept)

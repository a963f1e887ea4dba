"""Objectives of sparse rows on a device: the answers of the CPU and of SciPy, every kind of arrays, the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import steepest as st
from cases import LOSSES, each_loss, each_rule
from device_arrays import csr_on_device, on_device
from devices import emulated
from steepest.arrays import device
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


@pytest.mark.emulated
@settings(max_examples=40, deadline=None)
@given(some.integers(1, 40), some.integers(1, 30), some.integers(1, 12), some.integers(0, 10**6), some.booleans())
def test_any_sparsity(n, d, per_row, seed, narrow):
    with device.use(emulated()):
        dtype = np.float32 if narrow else np.float64
        check(rows_of(n, d, dtype, per_row, seed), "logistic", dtype)


def test_no_entries(cuda):
    check(sparse.csr_array((5, 7)), "logistic", np.float64, alpha=0.1)


@each_dtype
def test_a_row_that_holds_most_entries(cuda, dtype):
    """It is in 45 shares, so that a warp adds their sums; of other rows some are in two."""
    X = rows_of(400, 3000, dtype, per_row=10, longest=45_000)
    assert np.diff(X.indptr).max() > X.size // 2
    check(X, "logistic", dtype)


def test_columns_that_hold_most_entries(cuda):
    """Those of at least a 256th of all entries begin in shared memory, the others do not."""
    rng = np.random.default_rng(0)
    indices = np.where(rng.random(12_000) < 0.5, 7, np.where(rng.random(12_000) < 0.5, rng.integers(0, 40, 12_000),
                                                             rng.integers(0, 3000, 12_000)))  # fmt: skip
    X = sparse.csr_array((rng.standard_normal(12_000), indices, np.arange(0, 12_001, 12)), shape=(1000, 3000))
    counts = np.bincount(indices, minlength=3000)
    assert counts[7] >= 6000
    assert (counts >= 12_000 / 256).sum() > 10
    check(X, "huber", np.float64)


@each_loss
def test_columns_of_very_different_size(cuda, loss):
    """Each column's sum keeps its own digits: relative errors, where an absolute one would hide those of small ones."""
    n, d, per_row = 500, 40, 6
    rng = np.random.default_rng(0)
    indices = np.concatenate([rng.permutation(d)[:per_row] for _ in range(n)])
    sizes = 10.0 ** np.linspace(-250, 250, d)
    data = rng.uniform(0.5, 1.5, n * per_row) * sizes[indices]
    X = sparse.csr_array((data, indices, np.arange(0, n * per_row + 1, per_row)), shape=(n, d))
    y = LOSSES[loss].targets(np.abs(rng.standard_normal(n)) + 3.0)
    w = np.append(0.1 / sizes, 0.0)
    _, gradient = LOSSES[loss].objective(csr_on_device(X), on_device(y)).value_and_gradient(on_device(w))
    scaled = sparse.csr_array((data / sizes[indices], indices, X.indptr), shape=(n, d))
    _, wanted, _ = numbers(scaled, loss, y, None, np.append(np.full(d, 0.1), 0.0), w)
    terms = abs(scaled).T @ np.ones(n) / n
    np.testing.assert_array_less(np.abs(gradient.numpy()[:-1] / sizes - wanted[:-1]), 1e-13 * terms.max())


@pytest.mark.parametrize("d", [20, 600])
def test_slopes_of_very_different_size(cuda, d):
    """Rows that are fitted add 1e-12 of what one row that is not adds, in columns that this row lacks.

    20 columns are summed in shared memory first, 600 are not.
    """
    n = 600
    rng = np.random.default_rng(1)
    indices = rng.integers(0, d - 1, 3 * n)
    indices[:3] = d - 1
    X = sparse.csr_array((rng.standard_normal(3 * n), indices, np.arange(0, 3 * n + 1, 3)), shape=(n, d))
    residual = 1e-6 * rng.standard_normal(n)
    residual[0] = 1e6
    y = -residual
    objective = st.LeastSquares(csr_on_device(X), on_device(y), intercept=False)
    gradient = objective.gradient(on_device(np.zeros(d))).numpy()
    exact = np.zeros(d, np.longdouble)
    np.add.at(exact, indices, np.longdouble(2.0) * np.repeat(residual, 3) * X.data / n)
    np.testing.assert_allclose(gradient, exact.astype(float), rtol=1e-12)


@each_loss
def test_the_same_bits_at_every_schedule(cuda, loss):
    X = rows_of(700, 300, np.float32, per_row=20, longest=3000)
    y, weight, w, v = problem(loss, X, np.float32)
    found = []
    for seed in (1, 2, 3):
        if hasattr(cuda, "emulated_set"):
            cuda.emulated_set("EMULATED_SEED", seed)
        objective = LOSSES[loss].objective(csr_on_device(X), on_device(y), sample_weight=on_device(weight))
        value, gradient = objective.value_and_gradient(on_device(w))
        product = objective.hessian_product(on_device(w), on_device(v))
        found.append((value, gradient.numpy().tobytes(), product.numpy().tobytes()))
    assert found[0] == found[1] == found[2]


@each_dtype
@each_loss
def test_rows_of_weight_0_are_absent(cuda, loss, dtype):
    """Where their values, scores and losses overflow, the result has the bits of the rows without entries."""
    X = rows_of(300, 40, dtype)
    y, weight, w, _ = problem(loss, X, dtype)
    absent = np.repeat(weight == 0, np.diff(X.indptr))
    found = []
    for fill in (np.finfo(dtype).max, np.nan, 0.0):
        data = np.where(absent, np.asarray(fill, dtype), X.data).astype(dtype)
        there = csr_on_device(sparse.csr_array((data, X.indices, X.indptr), shape=X.shape))
        objective = LOSSES[loss].objective(there, on_device(y), sample_weight=on_device(weight))
        value, gradient = objective.value_and_gradient(on_device(w))
        found.append((value, gradient.numpy().tobytes()))
    assert np.isfinite(found[0][0])
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(cuda, bad):
    X = rows_of(200, 30)
    X.data[77] = bad
    y, _, w, _ = problem("least_squares", X, np.float64)
    objective = st.LeastSquares(csr_on_device(X), on_device(y))
    value, gradient = objective.value_and_gradient(on_device(w))
    assert not np.isfinite(value)
    assert not np.isfinite(gradient.numpy()[X.indices[77]])


def test_scores_that_overflow_show(cuda):
    X = rows_of(200, 30)
    objective = st.Poisson(csr_on_device(X), on_device(np.ones(200)))
    value, gradient = objective.value_and_gradient(on_device(np.full(31, 1e4)))
    assert value == np.inf
    assert np.isnan(gradient.numpy()[:-1]).all()


def test_a_value_that_grew_is_told(cuda):
    X = rows_of(50, 10)
    there = csr_on_device(X)
    objective, w = st.LeastSquares(there, on_device(np.ones(50))), on_device(np.ones(11))
    value = objective.value(w)
    cuda.copy_to_device(np.full(X.size, 1e9), there.data.pointer, 0, 1)
    with pytest.raises(ValueError, match=r"^X must not change while an objective uses it"):
        objective.value_and_gradient(w)
    cuda.copy_to_device(X.data, there.data.pointer, 0, 1)
    assert objective.value_and_gradient(w)[0] == value


@each_rule
def test_a_run_is_that_of_the_cpu(cuda, rule):
    X = rows_of(120, 15)
    y, weight, w, _ = problem("logistic", X, np.float64)
    options = {"max_epochs": 6, "record_path": True, "diagnose": False}
    kinds = {"alpha": 0.05, "l1_ratio": 0.5}
    theirs = st.minimize(st.Logistic(X, y, sample_weight=weight, **kinds), w, rule.make(), **options)
    there = st.Logistic(csr_on_device(X), on_device(y), sample_weight=on_device(weight), **kinds)
    ours = st.minimize(there, on_device(w), rule.make(), **options)
    assert isinstance(ours.w, DeviceArray)
    np.testing.assert_allclose(ours.path, theirs.path, rtol=1e-10, atol=1e-12)
    assert ours.n_steps == theirs.n_steps
    for name in set(ours.history) - {"seconds"}:
        np.testing.assert_allclose(ours.history[name], theirs.history[name], rtol=1e-9, atol=1e-12)


@each_dtype
def test_a_run_that_diverges_ends_where_it_was_finite(cuda, dtype):
    X = rows_of(120, 15, dtype)
    y = on_device(np.full(120, 3.0, dtype))
    result = st.minimize(
        st.Poisson(csr_on_device(X), y), optimizer=st.GradientDescent(1e4), max_epochs=20, diagnose=False
    )
    assert result.stop_reason == "diverged"
    assert np.isfinite(result.w.numpy()).all()


def test_the_default_run(cuda):
    X = rows_of(300, 10)
    y, *_ = problem("logistic", X, np.float64)
    result = st.minimize(st.Logistic(csr_on_device(X), on_device(y), alpha=0.1), max_epochs=30, diagnose=False)
    assert result.value < np.log(2)

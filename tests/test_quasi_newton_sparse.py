"""QuasiNewton on wide sparse data: how many passes a run takes, what it keeps in memory, and where it says it ended."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest.arrays.norm import dot, norm_of
from steepest.quasi_newton.runner import QuasiNewtonRunner

sparse = pytest.importorskip("scipy.sparse")


def power_law(n, d, per_row, seed=0, dtype=np.float32, size=0.3):
    """A CSR array whose columns have frequencies of a power law, and labels of a true model."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(d).astype(np.int32)
    columns = order[(d * rng.random(n * per_row) ** 3).astype(np.int32)].reshape(n, per_row)
    columns.sort(axis=1)
    values = rng.standard_normal(n * per_row).astype(dtype)
    starts = np.arange(0, n * per_row + 1, per_row, dtype=np.int32)
    X = sparse.csr_array((values, columns.ravel(), starts), shape=(n, d))
    scores = X @ (size * rng.standard_normal(d))
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(-scores))).astype(dtype)


@pytest.fixture
def passes(monkeypatch):
    """The values that runs find in their passes over all rows, in order."""
    found, evaluate = [], QuasiNewtonRunner._evaluate_all_rows

    def noted(self, w):
        iterate = evaluate(self, w)
        found.append(iterate.value)
        return iterate

    monkeypatch.setattr(QuasiNewtonRunner, "_evaluate_all_rows", noted)
    return found


def passes_to(values, share):
    """How many passes come within a share of the least value."""
    best = min(values)
    return next(i for i, value in enumerate(values, 1) if value - best <= share * best)


def test_power_law_columns_take_few_passes(passes):
    """A plain L-BFGS over columns divided by the roots of the Hessian's diagonal took 8 and 13 passes.

    It had ten times as many rows and columns. The penalty is ten times as strong here, so that it weighs the same.
    """
    X, y = power_law(50_000, 20_000, 40)
    result = st.minimize(st.Logistic(X, y, alpha=1e-4), stop=st.stop.GradientNorm(1e-7))
    assert result.converged
    assert passes_to(passes, 1e-3) <= 8
    assert passes_to(passes, 1e-6) <= 13


def one_hot(n, levels, n_columns, seed=0):
    """Ones: a level of each of some categorical columns a row, whose frequencies fall as those of words do."""
    rng = np.random.default_rng(seed)
    chances = 1.0 / (np.arange(levels) + 3.0)
    found = [rng.choice(levels, n, p=chances / chances.sum()) + levels * column for column in range(n_columns)]
    columns = np.stack(found, axis=1).astype(np.int32)
    starts = np.arange(0, columns.size + 1, n_columns, dtype=np.int32)
    X = sparse.csr_array((np.ones(columns.size, np.float32), columns.ravel(), starts), shape=(n, levels * n_columns))
    scores = X @ (0.5 * rng.standard_normal(levels * n_columns))
    return X, (rng.random(n) < 1.0 / (1.0 + np.exp(scores.mean() - scores))).astype(np.float32)


def test_rare_columns_of_up_to_4096_are_measured_in_all_rows(passes):
    """From 4,096 of the rows, which have few of some levels or none, it took 37 passes."""
    X, y = one_hot(100_000, 375, 8)
    st.minimize(st.Logistic(X, y, alpha=1e-6), stop=st.stop.GradientNorm(1e-5))
    assert passes_to(passes, 1e-3) <= 15


def test_the_threads_of_blas_change_no_bit():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    X, y = power_law(5_000, 30_000, 20, dtype=np.float64)
    found = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            found.append(st.minimize(st.Logistic(X, y, alpha=1e-4), max_epochs=12, diagnose=False).w.tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms_of_long_vectors(dtype):
    """Numbers 3 and 4 in turn have the norm 5 sqrt(n / 2); a power of two scales it exactly."""
    v = np.tile(np.array([3.0, -4.0], dtype), 50_001)
    assert norm_of(v) == pytest.approx(5.0 * np.sqrt(50_001), rel=1e-14)
    scale = dtype(2.0 ** (-120 if dtype is np.float32 else -900))  # whose squares underflow
    assert norm_of(v * scale) == norm_of(v) * float(scale)
    assert norm_of(np.zeros(100_000, dtype)) == 0.0
    v[70_000] = np.nan
    assert np.isnan(norm_of(v))
    v[70_000] = np.inf
    assert norm_of(v) == np.inf


def test_products_of_long_vectors():
    a, b = np.arange(30_000.0), np.ones(30_000)
    assert dot(a, b) == 29_999 * 30_000 / 2
    assert dot(a[:100], b[:100]) == 99 * 50

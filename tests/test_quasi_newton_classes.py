"""QuasiNewton with many classes and columns: one matrix for the parameters of every class."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as strategy

import steepest as st
from steepest.objectives.bound import some_of
from steepest.quasi_newton.metric import BlockMetric, is_nearly_diagonal
from steepest.quasi_newton.plan import SamplePlan
from steepest.quasi_newton.runner import QuasiNewtonRunner
from steepest.quasi_newton.sample import mean_block

K, D = 12, 350  # beyond 4,096 parameters


def classes(n=1500, d=D, k=K, correlation=0.9, dtype=np.float32, **options):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    y = (2 * X @ rng.standard_normal((d, k)) / np.sqrt(d) + rng.gumbel(size=(n, k))).argmax(axis=1)
    return st.Softmax(X.astype(dtype), y.astype(dtype), n_classes=k, alpha=1e-3, **options)


def fit(objective, monkeypatch, shared=True, **options):
    visits, visit = [], QuasiNewtonRunner._evaluate_at
    with monkeypatch.context() as patch:
        patch.setattr(QuasiNewtonRunner, "_evaluate_at", lambda *args: visits.append(args) or visit(*args))
        if not shared:
            patch.setattr(QuasiNewtonRunner, "_take_block_metric", lambda self: None)
        options = {"stop": st.stop.GradientNorm(1e-5), "max_epochs": 1000, "diagnose": False, **options}
        return st.minimize(objective, **options), len(visits)


@pytest.mark.parametrize("standardised", [False, True])
def test_correlated_columns_cost_few_passes(monkeypatch, standardised):
    scaling = {"centre": np.full(D, 0.1), "scale": np.full(D, 1.5)} if standardised else {}
    objective = classes(**scaling)
    result, passes = fit(objective, monkeypatch)
    slow, many = fit(objective, monkeypatch, shared=False)
    assert result.converged
    assert result.value == pytest.approx(slow.value, rel=1e-5)
    assert 2 * passes < many


def test_the_minimum_in_float64(monkeypatch):
    objective = classes(800, dtype=np.float64)
    result, _ = fit(objective, monkeypatch, stop=st.stop.GradientNorm(1e-8))
    slow, _ = fit(objective, monkeypatch, shared=False, stop=st.stop.GradientNorm(1e-8))
    assert result.converged
    np.testing.assert_allclose(result.w, slow.w, atol=1e-4)


def test_the_same_bits_on_any_number_of_threads(monkeypatch):
    objective, results = classes(), set()
    for threads in (1, 2, 3):
        with st.threads(threads):
            results.add(fit(objective, monkeypatch, max_epochs=40)[0].w.tobytes())
    assert len(results) == 1


def test_columns_that_are_not_correlated_keep_their_diagonal(monkeypatch):
    objective, made = classes(6000, correlation=0.0), []
    monkeypatch.setattr(
        "steepest.quasi_newton.runner.BlockMetric", lambda *args: made.append(args) or BlockMetric(*args)
    )
    assert fit(objective, monkeypatch)[0].converged
    assert not made
    rng = np.random.default_rng(0)
    assert is_nearly_diagonal(np.diag([1e-6, 0.0, 1e6]))
    assert is_nearly_diagonal(np.cov(rng.standard_normal((50, 1000))) * 1e-3)
    assert not is_nearly_diagonal(np.full((3, 3), 0.9) + 0.1 * np.eye(3))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("rows", [60, 1000])
def test_the_mean_block_follows_its_formula(dtype, intercept, rows):
    rng, k = np.random.default_rng(1), 4
    X, y, s = rng.standard_normal((400, 5)).astype(dtype), rng.integers(0, k, 400), rng.uniform(0, 2, 400)
    arithmetic = np.float64 if dtype == np.float64 else np.float32
    centre, scale = np.arange(5) / 10, np.arange(1, 6) / 2
    objective = st.Softmax(
        X, y.astype(arithmetic), sample_weight=s.astype(arithmetic), n_classes=k, alpha=0.3, intercept=intercept,
        centre=centre, scale=scale,
    )  # fmt: skip
    w = rng.standard_normal(objective.n_parameters).astype(arithmetic)
    chosen = some_of(400, rows, 7) if rows < 400 else np.arange(400)
    A = (X.astype(float) - centre) / scale
    A = np.column_stack([A, np.ones(400)])[chosen, : 5 + intercept]
    p = np.exp(A @ w.reshape(k, -1).T.astype(float))
    p /= p.sum(axis=1, keepdims=True)
    weights = (p * (1 - p)).sum(axis=1) / (k - 1) * s[chosen]
    expected = (A * weights[:, None]).T @ A / (s.sum() * len(chosen) / 400)
    expected += np.diag(np.append(np.full(5, 0.3), np.zeros(int(intercept))))
    np.testing.assert_allclose(mean_block(objective, w, rows, 7), expected, rtol=1e-5, atol=1e-5)
    if rows == 1000:  # where all probabilities are alike, the whole Hessian for what adds up to 0 over the classes
        zeros = np.zeros_like(w)
        v = rng.standard_normal((k, 5 + intercept))
        v -= v.mean(axis=0)
        product = objective.hessian_product(zeros, v.ravel().astype(arithmetic))
        np.testing.assert_allclose((v @ mean_block(objective, zeros, rows, 7)).ravel(), product, rtol=1e-4, atol=1e-5)


def test_a_matrix_that_is_not_definite_is_inverted_without_what_rounding_hides():
    matrix = np.full((3, 3), 1.0)
    g = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    np.testing.assert_allclose(BlockMetric(matrix, 1e-12).solve(g.ravel()), (g / 3).ravel(), rtol=1e-9)


@given(
    n=strategy.integers(1, 10**7),
    d=strategy.integers(1, 10**4),
    k=strategy.integers(2, 1000),
    itemsize=strategy.sampled_from([4, 8]),
)
@settings(deadline=None, max_examples=100)
def test_a_plan_with_blocks(n, d, k, itemsize):
    plan = SamplePlan(n, d, k * (d + 1), itemsize, n_scores=k)
    assert 0 <= plan.block_rows <= n
    assert (plan.block_rows > 0) == (not plan.possible and d + 1 <= 4096)
    assert (plan.block_cost > 0) == (plan.block_rows > 0)

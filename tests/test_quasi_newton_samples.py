"""The samples with which QuasiNewton begins: where they lead, what their curvature is worth, and what they cost."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest.quasi_newton.plan import SamplePlan
from steepest.quasi_newton.runner import QuasiNewtonRunner
from test_quasi_newton import correlated

SMALL = st.stop.GradientNorm(1e-6)


@pytest.fixture
def passes(monkeypatch):
    """The points at which all rows were evaluated alone."""
    found, evaluate = [], QuasiNewtonRunner._evaluate_all_rows
    monkeypatch.setattr(QuasiNewtonRunner, "_evaluate_all_rows", lambda self, w: found.append(w) or evaluate(self, w))
    return found


def fit(objective, **options):
    return st.minimize(objective, **{"max_epochs": 100, "stop": SMALL, **options})


@pytest.mark.parametrize("loss", [st.Logistic, st.Huber])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
@pytest.mark.parametrize("standardised", [False, True])
def test_the_start_and_the_point_of_the_samples_share_a_pass(passes, loss, l1_ratio, standardised):
    scaling = {"centre": np.full(30, 0.1), "scale": np.full(30, 1.5)} if standardised else {}
    objective = correlated(100_000, 30, loss=loss, alpha=1e-3, l1_ratio=l1_ratio, **scaling)
    result = fit(objective, record_path=True)
    assert result.converged
    assert len(passes) == len(result.history["loss"]) - 2
    for number in (0, 1):
        w = result.path[number]
        value, gradient = objective.value_and_gradient(w)
        assert result.history["loss"][number] == value
        assert result.history["gradient_norm"][number] == objective.gradient_norm(w, gradient)
    assert result.history["gradient_norm"][1] < 0.1 * result.history["gradient_norm"][0]


def test_a_larger_sample_leads_nearer_and_its_steps_fall_further(monkeypatch):
    """Of m rows about sqrt(p / m) is left: with 6.3 times the rows, 0.4 times as much, and of every step as well."""
    objective, norms = correlated(540_000, 20, alpha=1e-4, dtype=np.float32), []
    for share in (6, 54):
        monkeypatch.setattr("steepest.quasi_newton.plan._SHARE_IN_PLACE", share)
        assert SamplePlan.of(objective).hessian_rows == {6: 63_000, 54: 10_000}[share]
        norms.append(fit(objective, max_epochs=2, stop=()).history["gradient_norm"])
    assert norms[0][1] < 0.7 * norms[1][1]
    assert norms[0][2] < 0.4 * norms[1][2]


@pytest.mark.parametrize("loss", [st.Logistic, st.Huber, st.Poisson])
def test_the_same_bits_on_any_number_of_threads(loss):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((100_000, 12)).astype(np.float32)
    z = X @ np.linspace(-0.5, 0.5, 12, dtype=np.float32)
    y = {st.Logistic: rng.random(len(X)) < 1 / (1 + np.exp(-z)), st.Huber: z, st.Poisson: rng.poisson(np.exp(z))}[loss]
    objective, paths = loss(X, y.astype(np.float32), alpha=1e-3), set()
    assert SamplePlan.of(objective).hessian_rows > SamplePlan.of(objective).rows
    for threads in (1, 2, 3):
        with st.threads(threads):
            paths.add(st.minimize(objective, max_epochs=6, record_path=True, diagnose=False).path.tobytes())
    assert len(paths) == 1


def test_a_start_elsewhere_and_columns_in_order_end_at_the_same_minimum():
    objective = correlated(100_000, 12, alpha=1e-3)
    result, tight = fit(objective, stop=st.stop.GradientNorm(1e-9)), {"stop": st.stop.GradientNorm(1e-9)}
    for other in (objective, st.Logistic(np.asfortranarray(objective.X), objective.y, alpha=1e-3)):
        found = fit(other, w0=np.full(13, 0.5), **tight)
        assert found.converged
        np.testing.assert_allclose(found.w, result.w, atol=1e-6)


def test_numbers_that_are_not_finite_are_named():
    objective = correlated(30_000, 12)
    X = objective.X.copy()
    X[17, 3] = np.nan
    with pytest.raises(ValueError, match="objective must be finite at w0, got nan"):
        st.minimize(st.Logistic(X, objective.y))


def test_the_factor_is_the_middle_of_the_eigenvalues():
    """Those of the inverse Hessian of 2,000 rows times the Hessian of all 40,000, of independent columns."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40_000, 150))
    some = X[:2000]
    values = np.linalg.eigvals(np.linalg.solve(some.T @ some / 2000, X.T @ X / 40_000)).real
    plan = SamplePlan(40_000, 150, 150, 8)
    assert plan.factor(2000) == pytest.approx(0.5 * (values.min() + values.max()), rel=0.03)
    assert plan.factor(40_000) == 1.0
    assert plan.factor(0) == 1.0


def test_a_slow_diagonal_gives_way_on_the_sample(monkeypatch, passes):
    """Neighbouring columns correlated by 0.95, and a Hessian of the sample that costs more than it may at first."""
    monkeypatch.setattr("steepest.quasi_newton.plan._CHEAP", 0.0)
    monkeypatch.setattr("steepest.quasi_newton.plan._ROWS", 1000)
    monkeypatch.setattr("steepest.quasi_newton.plan._HESSIAN", 1e13)  # pays early
    objective, counts = correlated(20_000, 100, alpha=1e-4, dtype=np.float32), []
    for pays in (None, False):
        passes.clear()
        if pays is not None:
            monkeypatch.setattr(QuasiNewtonRunner, "_hessian_pays", lambda self, norms: False)
        assert fit(objective, stop=st.stop.GradientNorm(1e-5)).converged
        counts.append(len(passes))
    assert counts[0] <= 8
    assert counts[1] > 1.3 * counts[0]

"""How QuasiNewton ends: where there is no minimum, from starts far out, where rounding hides the way, and said so."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as strategy

import steepest as st
from steepest.analysis.separability import separating_loss, separation
from steepest.quasi_newton.metric import fix_softmax_gauge

NEVER = st.stop.GradientNorm(0.0)


def rows(n=300, d=6, dtype=np.float64, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d))
    z = X @ random.standard_normal(d)
    return X.astype(dtype), z


def labels(z, dtype=np.float64, noise=1.0, seed=1):
    return (z > noise * np.random.default_rng(seed).logistic(size=len(z))).astype(dtype)


def three(X, noise, dtype=np.float64):
    random = np.random.default_rng(2)
    return (X[:, :3] + noise * random.standard_normal((len(X), 3))).argmax(axis=1).astype(dtype)


SEPARABLE = {
    "plain": lambda X, z: st.Logistic(X, (z > 0).astype(X.dtype)),
    "weights": lambda X, z: st.Logistic(
        X, (z > 0).astype(X.dtype), sample_weight=np.linspace(0.5, 2, len(z), dtype=X.dtype)
    ),
    "some weights of 0": lambda X, z: st.Logistic(
        X, np.where(np.arange(len(z)) == 5, z <= 0, z > 0).astype(X.dtype),
        sample_weight=(np.arange(len(z)) != 5).astype(X.dtype),
    ),
    "softmax": lambda X, z: st.Softmax(X, three(X, 0.0, X.dtype)),
    "no intercept": lambda X, z: st.Logistic(X, (z > 0).astype(X.dtype), intercept=False),
    "scaled": lambda X, z: st.Logistic(
        X, (z > 0).astype(X.dtype), centre=X.mean(axis=0, dtype=float), scale=X.std(axis=0, dtype=float)
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stop", [(), NEVER, st.stop.GradientNorm(1e-4)])
@pytest.mark.parametrize("make", SEPARABLE.values(), ids=SEPARABLE)
def test_separable_classes_are_told(make, stop, dtype):
    objective = make(*rows(dtype=dtype))
    with pytest.warns(st.DiagnosisWarning, match="separable"):
        result = st.minimize(objective, max_epochs=200, stop=stop)
    assert (result.stop_reason, result.converged) == ("separable", False)
    assert result.n_epochs < 100


@pytest.mark.parametrize("alpha", [0.0, 1e-6])
def test_classes_with_a_row_on_the_wrong_side_are_not_separable(alpha):
    X, z = rows()
    y = (z > 0).astype(float)
    y[np.argmax(z)] = 0
    result = st.minimize(st.Logistic(X, y, alpha=alpha), max_epochs=200)
    assert result.stop_reason == "precision"
    assert result.converged


def test_a_small_loss_of_rare_classes_is_not_separable():
    random = np.random.default_rng(0)
    y = (random.random(20_000) < 3e-3).astype(float)
    result = st.minimize(st.Logistic(random.standard_normal((20_000, 2)), y), max_epochs=200)
    assert result.value < 0.1
    assert result.stop_reason == "precision"


@given(strategy.integers(0, 1000), strategy.floats(1, 30), strategy.booleans(), strategy.sampled_from([2, 3]))
def test_below_the_separating_loss_every_row_is_on_its_side(seed, scale, weighted, k):
    X, z = rows(20, 3, seed=seed)
    random = np.random.default_rng(seed)
    weight = random.uniform(0.1, 3, len(z)) if weighted else None
    loss = st.Logistic if k == 2 else st.Softmax
    y = (z > 0).astype(float) if k == 2 else three(X, 0.0)
    y[:3] = [0, 1, k - 1]
    objective = loss(X, y, sample_weight=weight)
    w = scale * random.standard_normal(objective.n_parameters)
    value = objective.value(w)
    assert separation(objective, w, value) == "all" or not value < separating_loss(objective)
    assert separating_loss(loss(X, y, alpha=0.1)) == -np.inf


@pytest.mark.parametrize("far", [1e3, 1e5])
@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["logistic", "softmax"])
def test_a_start_where_all_rows_are_saturated(kind, l1_ratio, far):
    X, z = rows(2000, 20)
    options = {"alpha": 1e-3, "l1_ratio": l1_ratio}
    objective = st.Logistic(X, labels(z), **options) if kind == "logistic" else st.Softmax(X, three(X, 1.0), **options)
    w0 = far * np.random.default_rng(3).standard_normal(objective.n_parameters)
    lowest = st.minimize(objective, max_epochs=300).value
    result = st.minimize(objective, w0, max_epochs=300)
    assert result.value == pytest.approx(lowest, rel=1e-9)
    assert result.converged
    assert result.n_epochs < 100


def test_a_good_start_is_kept():
    X, z = rows()
    objective = st.Logistic(X, labels(z), alpha=0.01)
    best = st.minimize(objective)
    again = st.minimize(objective, best.w)
    assert again.converged
    assert again.n_epochs <= 3
    assert again.value <= best.value


def test_a_gradient_that_rounding_leaves_large_is_told():
    X, z = rows(2000, 20, np.float32)
    objective = st.LeastSquares(X + np.float32(1e5), z.astype(np.float32), intercept=False)
    with pytest.warns(st.DiagnosisWarning, match="standardise"):
        result = st.minimize(objective, max_epochs=1000)
    assert (result.stop_reason, result.converged, result.diagnosis.kind) == ("rounding", False, "rounding")
    mended = st.LeastSquares(objective.X, objective.y, centre=objective.X.mean(axis=0, dtype=float), scale=np.ones(20))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert st.minimize(mended).converged


@pytest.mark.parametrize("kind", ["squares", "logistic"])
def test_columns_whose_squares_overflow(kind):
    X, z = rows(dtype=np.float32)
    X *= np.float32(1e19)
    z = z.astype(np.float32)
    loss, y = (st.LeastSquares, z) if kind == "squares" else (st.Logistic, labels(z, np.float32))
    objective, small = loss(X, y), loss(X / np.float32(1e19), y)
    assert st.minimize(objective, max_epochs=200).value == pytest.approx(st.minimize(small).value, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
@pytest.mark.parametrize("intercept", [False, True])
def test_common_shifts_are_held_without_a_change_of_the_step(alpha, intercept):
    X, _ = rows(200, 4)
    objective = st.Softmax(X, three(X, 1.0), alpha=alpha, intercept=intercept)
    w = np.random.default_rng(0).standard_normal(objective.n_parameters)
    gradient, hessian = objective.gradient(w), objective.hessian(w)
    held = hessian.copy()
    fix_softmax_gauge(held, objective.layout, objective.alpha)
    if alpha == 0.0 or intercept:
        assert np.linalg.eigvalsh(hessian)[0] < 1e-12
    assert np.linalg.eigvalsh(held)[0] > 1e-4
    step = np.linalg.solve(held, gradient)
    np.testing.assert_allclose(hessian @ step, gradient, atol=1e-12)

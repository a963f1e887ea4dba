"""Poisson's loss: its numbers, minima in closed form and of other codes, data without a minimum, and overflow."""

from __future__ import annotations

import math
import pickle

import numpy as np
import pytest

import steepest as st
from steepest import reference

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def counts(n, d, deviation=1.0, intercept=0.0, seed=0):
    """Columns, counts and the parameters that they were drawn with."""
    rng = np.random.default_rng(seed)
    X, w = deviation * rng.standard_normal((n, d)), rng.standard_normal(d) / math.sqrt(d) / deviation
    return X, rng.poisson(np.exp(X @ w + intercept)).astype(float), np.append(w, intercept)


def test_the_loss_is_the_likelihood_without_its_constant():
    stats, special = pytest.importorskip("scipy.stats"), pytest.importorskip("scipy.special")
    X, y, w = counts(50, 3, intercept=1.0)
    expected = -stats.poisson.logpmf(y, np.exp(X @ w[:-1] + w[-1])).mean() - special.gammaln(y + 1).mean()
    assert st.Poisson(X, y).value(w) == pytest.approx(expected, rel=1e-13)
    assert reference.poisson(X, y, w)[0] == pytest.approx(expected, rel=1e-13)


def test_numbers_of_one_row():
    """At z = log 5 with the target 2: 5 - 2 log 5, 5 - 2 and 5, times 1, x and x^2."""
    objective = st.Poisson(np.array([[0.5]]), np.array([2.0]), intercept=False)
    w = np.array([2.0 * math.log(5.0)])
    assert objective.value(w) == pytest.approx(5.0 - 2.0 * math.log(5.0), rel=1e-15)
    assert objective.gradient(w)[0] == pytest.approx(1.5, rel=1e-15)
    assert objective.hessian(w)[0, 0] == pytest.approx(1.25, rel=1e-15)
    assert objective.hessian_product(w, np.array([2.0]))[0] == pytest.approx(2.5, rel=1e-15)


@each_dtype
@pytest.mark.parametrize("means", [(2.0, 3.0), (0.01, 1e-3), (5e3, 7.0), (3e6, 4e6)])
def test_groups_have_the_logarithms_of_their_means(means, dtype):
    rng = np.random.default_rng(0)
    group = np.arange(400) % 2
    y = rng.poisson(np.array(means)[group]).astype(dtype)
    y[:2] += 1  # so that no group is all zeros
    weight = rng.uniform(0.5, 2.0, 400).astype(dtype)
    found = [np.average(y[group == k].astype(float), weights=weight[group == k]) for k in (0, 1)]
    result = st.minimize(st.Poisson(group[:, None].astype(dtype), y, sample_weight=weight))
    assert result.converged
    expected = [math.log(found[1] / found[0]), math.log(found[0])]
    np.testing.assert_allclose(result.w, expected, rtol=0, atol=1e-9 if dtype == np.float64 else 2e-5)


@each_dtype
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("intercept", [0.0, 8.0, 14.0])
@pytest.mark.parametrize(("n", "d", "deviation"), [(500, 4, 3.0), (60_000, 8, 1.0), (40, 60, 0.1)])
def test_a_run_from_zeros_survives_large_counts(n, d, deviation, intercept, order, dtype):
    """From zeros a whole step overflows: its score is a count. The gradient is a share of that at zeros."""
    X, y, _ = counts(n, d, deviation, intercept)
    objective = st.Poisson(np.asarray(X, dtype, order=order), y.astype(dtype), alpha=1e-3)
    result = st.minimize(objective)
    assert result.converged, result.diagnosis
    zeros = np.linalg.norm(objective.gradient(np.zeros(d + 1, dtype)))
    share = 1e-9 if dtype == np.float64 else 1e-5
    assert np.linalg.norm(reference.poisson(X.astype(dtype), y, result.w, alpha=1e-3)[1]) <= share * zeros


@pytest.mark.parametrize("start", [-20.0, 0.0, 20.0])
def test_a_run_without_an_intercept(start):
    """One parameter: the mean of e^w is that of y; e^20 is 1e8 times too much."""
    y = np.random.default_rng(0).poisson(4000.0, 100).astype(float)
    result = st.minimize(st.Poisson(np.ones((100, 1)), y, intercept=False), np.array([start]))
    assert result.converged
    assert result.w[0] == pytest.approx(math.log(y.mean()), rel=1e-10)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_an_l1_minimum_has_a_subgradient_of_zero(l1_ratio):
    X, y, _ = counts(300, 8, intercept=3.0)
    result = st.minimize(st.Poisson(X, y, alpha=16.0, l1_ratio=l1_ratio))
    gradient = reference.poisson(X, y, result.w, alpha=16.0, l1_ratio=l1_ratio)[1]
    w, slope, bound = result.w[:-1], gradient[:-1], 16.0 * l1_ratio
    assert result.converged
    assert 0 < np.count_nonzero(w) < 8
    np.testing.assert_allclose(slope[w != 0], -bound * np.sign(w[w != 0]), rtol=0, atol=1e-6)
    assert (np.abs(slope[w == 0]) <= bound + 1e-6).all()


def test_columns_of_16_bits_and_scaled_columns():
    X, y, _ = counts(2000, 5, intercept=2.0)
    half = X.astype(np.float16)
    expected = st.minimize(st.Poisson(half.astype(float), y)).w
    np.testing.assert_allclose(st.minimize(st.Poisson(half, y.astype(np.float32))).w, expected, rtol=0, atol=2e-5)
    centre, scale = st.objectives.column_statistics(X)
    scaled = st.Poisson(X, y, centre=centre, scale=scale)
    w = st.minimize(scaled).w
    coefficients, intercept = st.objectives.unscaled(w[:-1], centre, scale, w[-1])
    np.testing.assert_allclose([*coefficients, intercept], st.minimize(st.Poisson(X, y)).w, rtol=0, atol=1e-9)


RULES = [
    lambda: st.GradientDescent("auto"),
    lambda: st.Momentum("auto"),
    lambda: st.Momentum("auto", nesterov=True),
]


@each_dtype
@pytest.mark.parametrize("make", RULES)
@pytest.mark.parametrize("intercept", [0.0, 5.0])
def test_rates_from_the_curvature(make, intercept, dtype):
    """The curvature at zeros is 1 and that at the minimum the mean of y: a rate of the first alone would diverge."""
    X, y, _ = counts(500, 3, intercept=intercept)
    objective = st.Poisson(X.astype(dtype), y.astype(dtype))
    best, first = st.minimize(objective).value, objective.value(np.zeros(4, dtype))
    result = st.minimize(objective, optimizer=make(), max_epochs=1000)
    assert result.value - best <= 1e-5 * (first - best)


@pytest.mark.parametrize("make", RULES)
def test_rates_from_the_curvature_in_mini_batches(make):
    X, y, _ = counts(2000, 3, intercept=5.0)
    objective = st.Poisson(X, y)
    best, first = st.minimize(objective).value, objective.value(np.zeros(4))
    result = st.minimize(objective, optimizer=make(), batch_size=64, max_epochs=200, random_state=0)
    assert result.value - best <= 0.01 * (first - best)


def test_a_rate_that_diverges_is_told_one_that_does_not():
    X, y, _ = counts(500, 3, intercept=8.0)
    with pytest.warns(st.DivergenceWarning):
        result = st.minimize(st.Poisson(X, y), optimizer=st.GradientDescent(0.1))
    assert result.stop_reason == "diverged"
    rate = result.diagnosis.learning_rate
    assert 1e-8 < rate < 1e-3
    again = st.minimize(st.Poisson(X, y), optimizer=st.GradientDescent(rate), max_epochs=50, diagnose=False)
    assert again.stop_reason == "max_epochs"


# Targets and numbers at the ends of their range.


@pytest.mark.parametrize("bad", [-1.0, -1e-30])
def test_targets_below_0_are_refused(bad):
    X, y, _ = counts(20, 2)
    y[[3, 5]] = bad, -7.0
    with pytest.raises(ValueError, match=rf"y must hold numbers of at least 0, got {bad:g} at index 3"):
        st.Poisson(X, y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_over_its_whole_range(isa, dtype):
    """The slopes at y = 0 are e^z: to units of the last place, denormal or infinite where NumPy's are, and NaN."""
    ends = {np.float32: (-104.0, 88.72), np.float64: (-746.0, 709.78)}[dtype]
    scores = np.concatenate([np.linspace(*ends, 997), [0.0, -0.0, 1.0, *ends]]).astype(dtype)
    n = len(scores)
    for score in np.array_split(scores, 20):
        slopes = st.Poisson(np.eye(len(score), dtype=dtype), np.zeros(len(score), dtype), intercept=False)
        found, exact = slopes.gradient(score).astype(np.longdouble) * len(score), np.exp(score.astype(np.longdouble))
        unit = np.maximum(np.finfo(dtype).eps * exact, len(score) * np.finfo(dtype).smallest_subnormal)
        assert (np.abs(found - exact) <= 3 * unit).all()
    assert n == 1002


@pytest.mark.parametrize(("score", "expected"), [(-1e30, 0.0), (1e30, np.inf), (np.nan, np.nan)])
@each_dtype
def test_no_overflow_in_silence(isa, score, expected, dtype):
    objective = st.Poisson(np.ones((1, 1), dtype), np.zeros(1, dtype), intercept=False)
    value, gradient = objective.value_and_gradient(np.array([score], dtype))
    np.testing.assert_array_equal([value, gradient[0]], [expected, expected])
    if score < 0:
        assert st.Poisson(np.full((1, 1), -np.inf, dtype), np.zeros(1, dtype)).value(np.ones(2, dtype)) == 0.0


@pytest.mark.parametrize("batch_size", [None, 16])
def test_steps_that_overflow_end_as_diverged(batch_size):
    X, y, _ = counts(200, 3, intercept=8.0)
    with pytest.warns(st.DivergenceWarning):
        result = st.minimize(st.Poisson(X, y), optimizer=st.GradientDescent(1.0), batch_size=batch_size, random_state=0)
    assert result.stop_reason == "diverged"
    assert np.isfinite(result.w).all()


def test_it_is_kept():
    X, y, w = counts(50, 3)
    objective = st.Poisson(X, y, alpha=0.5)
    assert repr(objective) == "Poisson(50 x 3 float64, alpha=0.5, l1_ratio=0)"
    assert pickle.loads(pickle.dumps(objective)).value(w) == objective.value(w)


# The estimator.


@pytest.fixture
def regressor():
    pytest.importorskip("sklearn")
    return st.LinearRegressor


@pytest.mark.parametrize("alpha", [0.0, 1e-3, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [0.0, 6.0])
def test_the_coefficients_are_those_of_scikit_learn(regressor, intercept, weighted, alpha):
    linear = pytest.importorskip("sklearn.linear_model")
    X, y, _ = counts(300, 4, 1.0, intercept)
    weight = np.random.default_rng(1).uniform(0.2, 3.0, 300) if weighted else None
    theirs = linear.PoissonRegressor(alpha=alpha, solver="newton-cholesky", tol=1e-9, max_iter=200).fit(X, y, weight)
    ours = regressor(loss="poisson", alpha=alpha).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=0, atol=1e-6)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-6)
    assert ours.intercept_ == pytest.approx(theirs.intercept_, abs=1e-6)
    assert (ours.predict(X) > 0).all()


@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"early_stopping": True, "random_state": 0}])
def test_the_estimator_predicts_means(regressor, options):
    metrics = pytest.importorskip("sklearn.metrics")
    X, y, w = counts(4000, 3, intercept=2.0)
    model = regressor(loss="poisson", **options).fit(X, y)
    np.testing.assert_allclose(model.predict(X), np.exp(X @ w[:-1] + w[-1]), rtol=0.1)
    assert model.score(X, y) == metrics.r2_score(y, model.predict(X))
    before = model.predict(X)
    np.testing.assert_array_equal(model.set_params(loss="least_squares").predict(X), before)


def test_the_estimator_takes_more_rows(regressor):
    X, y, w = counts(2000, 3, intercept=2.0)
    model = regressor("adam", loss="poisson", random_state=0)
    for _ in range(20):
        model.partial_fit(X, y)
    np.testing.assert_allclose(np.append(model.coef_, model.intercept_), w, rtol=0, atol=0.1)


def test_the_estimator_names_a_target_below_0(regressor):
    X, y, _ = counts(50, 3)
    y[4] = -2.0
    for call in (regressor(loss="poisson").fit, regressor("adam", loss="poisson").partial_fit):
        with pytest.raises(ValueError, match="y must hold numbers of at least 0, got -2 at index 4"):
            call(X, y)


@pytest.mark.filterwarnings("ignore")
def test_a_fit_that_learned_nothing_says_so(regressor):
    X, y, _ = counts(500, 3, intercept=8.0)
    with pytest.warns(UserWarning, match="The fit has learned nothing: it ends at a loss of .* of the intercept alone"):
        regressor(st.Adam(1e-3), loss="poisson", max_iter=2).fit(X, y)

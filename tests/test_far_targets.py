"""Least squares of targets far from zero: the least residual is reached, as far as the parameters' digits hold it."""

import warnings

import numpy as np
import pytest

import steepest as st
from steepest.objectives.scaling import column_statistics


def _problem(n, d, away, noise, dtype=np.float32):
    """Return rows, targets as they are held, and the least mean square by float64 on centred targets."""
    random = np.random.default_rng(0)
    X = random.normal(size=(n, d)).astype(dtype)
    y = (X @ random.normal(size=d) + noise * random.normal(size=n) + away).astype(dtype)
    return X, y, _mean_square(X, y, *_least(X, y))


def _least(X, y):
    exact, target = X.astype(np.float64), y.astype(np.float64)
    w = np.linalg.lstsq(np.column_stack([exact, np.ones(len(X))]), target - target.mean(), rcond=None)[0]
    return w[:-1], w[-1], target.mean()


def _mean_square(X, y, coefficients, intercept, centre=0.0):
    residual = X.astype(np.float64) @ coefficients + intercept - (y.astype(np.float64) - centre)
    return np.mean(residual**2)


@pytest.mark.parametrize("noise", [0.1, 1.0])
@pytest.mark.parametrize("away", [1e4, 1e5, 1e6, 1e7, -1e6])
@pytest.mark.parametrize(("n", "d"), [(200, 3), (20_000, 20), (500, 100)])
def test_the_residual_is_the_least_that_the_digits_hold(n, d, away, noise):
    # The intercept is held to half a unit in its last place: its square is what the digits cost. The rest of the
    # parameters are near 1, and cost 1e-7 of it.
    X, y, least = _problem(n, d, away, noise)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        result = st.minimize(st.LeastSquares(X, y))
    w = result.w.astype(np.float64)
    excess = _mean_square(X, y, w[:-1], w[-1]) - least
    held = (np.spacing(np.float32(abs(away))) / 2) ** 2
    assert excess <= 1.01 * held + 1e-5 * least
    np.testing.assert_allclose(result.value, least, rtol=1e-5)
    told = result.stop_reason == "rounding" and not result.converged and len(seen) == 1
    assert told or (result.converged and excess <= 1.01e-3 * max(least, 1e-3 * y.var(dtype=np.float64)))


def test_what_the_digits_cannot_hold_is_told():
    X, y, _ = _problem(500, 100, 1e7, 1.0)  # 1e7 is held to a whole number: by chance 0.6% of the least residual
    with pytest.warns(st.DiagnosisWarning, match="rounding"):
        result = st.minimize(st.LeastSquares(X, y))
    assert not result.converged


@pytest.mark.parametrize("options", [{"alpha": 0.1}, {"alpha": 0.1, "l1_ratio": 1.0}, {"weights": True}], ids=str)
def test_a_shift_of_the_targets_moves_the_intercept_alone(options):
    # The intercept is not penalised, so that the minimum for y + 2^20 is that for y with 2^20 added to the intercept.
    # The targets are multiples of 1/8, which float32 holds up to 2^21.
    random = np.random.default_rng(1)
    X = random.normal(size=(300, 5)).astype(np.float32)
    y = (np.round(8 * (X @ random.normal(size=5) + random.normal(size=300))) / 8).astype(np.float32)
    options = dict(options)
    if options.pop("weights", False):
        options["sample_weight"] = random.uniform(0, 2, 300).round().astype(np.float32)
    near = st.minimize(st.LeastSquares(X, y, **options)).w
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DiagnosisWarning)
        far = st.minimize(st.LeastSquares(X, y + np.float32(2**20), **options)).w
    np.testing.assert_allclose(far[:-1], near[:-1], atol=2e-5)
    assert abs(float(far[-1]) - 2**20 - float(near[-1])) <= 0.0626


def test_columns_and_targets_far_from_zero():
    X, y, least = _problem(400, 3, 1e6, 1.0, np.float64)
    far = st.minimize(st.LeastSquares(X + 1e6, y))
    coefficients, _, _ = _least(X, y)
    np.testing.assert_allclose(far.w[:-1], coefficients, atol=1e-8)
    np.testing.assert_allclose(far.value, least, rtol=1e-9)
    np.testing.assert_allclose(st.LeastSquares(X + 1e6, y).value(far.w), least, rtol=1e-6)


def test_a_scaled_objective_with_targets_far_from_zero():
    X, y, least = _problem(400, 3, 1e6, 1.0)
    centre, scale = column_statistics(X)
    result = st.minimize(st.LeastSquares(X, y, centre=centre, scale=scale))
    np.testing.assert_allclose(result.value, least, rtol=1e-5)


def test_the_history_starts_at_the_given_start():
    X, y, _ = _problem(200, 3, 1e4, 1.0)
    objective = st.LeastSquares(X, y)
    w0 = np.array([1, 2, 3, 9000], np.float32)
    for start in (None, w0):
        history = st.minimize(objective, start).history
        at = np.zeros(4, np.float32) if start is None else start
        np.testing.assert_allclose(history["loss"][0], objective.value(at), rtol=1e-6)
        np.testing.assert_allclose(history["gradient_norm"][0], np.linalg.norm(objective.gradient(at)), rtol=1e-5)


def test_targets_that_are_all_alike():
    X = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    result = st.minimize(st.LeastSquares(X, np.full(50, 1e6, np.float32)))
    assert result.converged
    np.testing.assert_array_equal(result.w, np.float32([0, 0, 1e6]))

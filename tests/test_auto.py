"""learning_rate="auto": the rate from the curvature, without a number from the user."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st
from cases import Problem, each_loss
from datasets import diamonds, digits, flights, small
from quadratics import quadratic, rotated

TOLERANCE = st.stop.GradientNorm(1e-6)
AUTO = {
    "plain": lambda: st.GradientDescent("auto"),
    "sum": lambda: st.Momentum("auto"),
    "average": lambda: st.Momentum("auto", velocity="average"),
    "step": lambda: st.Momentum("auto", momentum=0.5, velocity="step"),
    "nesterov": lambda: st.Momentum("auto", nesterov=True),
}
each_auto = pytest.mark.parametrize("make", AUTO.values(), ids=AUTO)

SETS = {
    "breast_cancer": lambda: small("breast_cancer").standardised().objective(alpha=1e-4),
    "diabetes": lambda: small("diabetes").standardised().objective(),
    "digits 1 and 7": lambda: digits(1, 7).standardised().objective(alpha=1e-4),
    "digits 3 and 8": lambda: digits(3, 8).standardised().objective(alpha=1e-4),
}


def runs_to_the_end(objective, optimizer, **options):
    result = st.minimize(objective, optimizer=optimizer, stop=TOLERANCE, max_epochs=500_000, **options)
    assert (result.stop_reason, result.converged, result.diagnosis) == ("GradientNorm", True, "")
    assert np.linalg.norm(objective.gradient(result.w)) <= 1e-6
    assert (np.diff(result.history["seconds"]) >= 0).all()
    return result


@each_auto
@pytest.mark.parametrize("name", SETS)
def test_reaches_the_minimum_of_real_problems(name, make):
    objective = SETS[name]()
    with st.threads(1):
        result = runs_to_the_end(objective, make())
    loss = result.history["loss"]
    if make().rule_name == "gradient_descent":
        assert (np.diff(loss) <= 1e-10 * np.abs(loss[:-1])).all()


@pytest.mark.parametrize("make", [AUTO["plain"], AUTO["sum"]], ids=["plain", "sum"])
def test_reaches_the_minimum_of_the_diamonds(make):
    pytest.importorskip("plotnine")
    runs_to_the_end(diamonds().standardised().objective(), make())


@pytest.mark.parametrize("target", ["late", "delay"])
def test_reaches_the_minimum_of_the_flights(target):
    every_tenth = flights(target)
    every_tenth.X, every_tenth.y = np.ascontiguousarray(every_tenth.X[::10]), every_tenth.y[::10].copy()
    runs_to_the_end(every_tenth.standardised().objective(), st.Momentum("auto"))


@pytest.mark.parametrize("make", [AUTO["plain"], AUTO["sum"], AUTO["nesterov"]], ids=["plain", "sum", "nesterov"])
@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "digits"])
def test_raw_columns_end_in_a_diagnosis(name, make):
    with pytest.warns(st.DiagnosisWarning, match="very slow progress.*standardise the features"):
        result = st.minimize(small(name).objective(), optimizer=make(), stop=TOLERANCE, max_epochs=300)
    assert (result.stop_reason, result.diagnosis.kind) == ("max_epochs", "slow")
    assert result.history["loss"][-1] < result.history["loss"][0]
    assert np.isfinite(result.w).all()


@given(seed=st_.integers(0, 2**32 - 1), span=st_.floats(0, 3), name=st_.sampled_from(list(AUTO)))
@settings(deadline=None, max_examples=30)
def test_least_squares_get_the_best_rate_of_their_spectrum(seed, span, name):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((40, 4)) @ (rotated(np.geomspace(1, 10 ** (span / 2), 4), seed))
    objective, optimizer = st.LeastSquares(X, rng.standard_normal(40)), AUTO[name]()
    eigenvalues = np.linalg.eigvalsh(objective.hessian(np.zeros(5)))
    result = runs_to_the_end(objective, optimizer, random_state=0)
    (rate,) = set(result.history["learning_rate"])
    stable = optimizer.largest_stable_rate(eigenvalues[-1])
    assert 0 < rate <= 0.9501 * stable

    def slowest(rate):
        return optimizer.contraction(rate * eigenvalues).max()

    assert slowest(rate) <= min(slowest(other) for other in stable * np.linspace(0.02, 0.95, 60)) + 1e-3


@pytest.mark.parametrize(("momentum", "condition"), [(0.9, 100.0), (0.5, 2.0), (0.5, 10.0), (0.8, 30.0)])
def test_among_equal_rates_of_momentum_the_middle_is_the_best(momentum, condition):
    """From (1 - sqrt(mu))^2 / smallest to (1 + sqrt(mu))^2 / largest, every rate contracts by sqrt(mu)."""
    rule, root = st.Momentum("auto", momentum=momentum), momentum**0.5
    first = max((1 - root) ** 2, 0.01 * rule.largest_stable_rate(condition))
    last = min((1 + root) ** 2 / condition, 0.95 * rule.largest_stable_rate(condition))
    assert first < 0.5 * last
    assert rule.best_rate(1.0, condition) == pytest.approx((first * last) ** 0.5, rel=3e-3)
    assert rule.best_rate(1.0, condition * (1 + 1e-7)) == pytest.approx((first * last) ** 0.5, rel=3e-3)


@pytest.mark.parametrize(("x", "factor"), [(0.5, 0.5), (1.0, 0.0), (1.9, 0.9), (2.5, 1.5)])
def test_contraction_of_plain_descent(x, factor):
    assert st.GradientDescent(0.1).contraction(np.array([x]))[0] == pytest.approx(factor)


@pytest.mark.parametrize("name", list(AUTO)[1:])
@given(x=st_.floats(0.01, 5.0), mu=st_.floats(0.05, 0.95))
@settings(deadline=None, max_examples=20)
def test_contraction_of_momentum_is_that_of_its_steps(name, x, mu):
    optimizer = st.Momentum(x, momentum=mu, velocity="sum" if name == "nesterov" else name, nesterov=name == "nesterov")
    w, n = np.array([1.0]), 600
    norms = []
    for _ in range(n):
        optimizer.step(w, w.copy())
        w_and_velocity = np.append(w, optimizer.state_dict()["state"]["velocity"])
        norms.append(np.linalg.norm(w_and_velocity))
        if not 1e-120 < norms[-1] < 1e120:
            break
    factor = float(optimizer.contraction(np.array([x]))[0])
    if len(norms) > 100 and factor > 0.05:
        measured = (norms[-1] / norms[len(norms) // 2]) ** (1 / (len(norms) - 1 - len(norms) // 2))
        assert measured == pytest.approx(factor, rel=0.03)


def test_the_rate_follows_the_curvature_as_it_falls():
    objective = digits(1, 7).standardised().objective(alpha=1e-5)
    rates = runs_to_the_end(objective, st.GradientDescent("auto")).history["learning_rate"]
    assert rates[-1] > 10 * rates[0]
    largest = np.linalg.eigvalsh(objective.hessian(np.zeros(objective.n_parameters)))[-1]
    assert rates[0] == pytest.approx(1.8 / largest, rel=0.05)


def test_a_step_that_fails_is_taken_back():
    # At the start w^4 hardly curves: the rate that its curvature bears leads far beyond.
    function = st.Function(lambda w: (float(w @ w) ** 2, 4 * (w @ w) * w), 2)
    result = st.minimize(function, np.array([1e-3, 0.0]), st.GradientDescent("auto"), max_epochs=60, record_path=True)
    assert (np.diff(result.history["loss"]) <= 0).all()
    steep = st.Function(lambda w: (float(np.cosh(w[0] - 5)), np.sinh(w - 5)), 1)
    result = st.minimize(
        steep, np.array([5.001]), st.Momentum("auto"), max_epochs=400, record_path=True, stop=st.stop.GradientNorm(1e-9)
    )
    assert result.converged
    losses = [steep.value(w) for w in result.path]
    np.testing.assert_allclose(losses, result.history["loss"], rtol=1e-12)


def test_a_rate_too_high_for_what_comes_later_is_lowered():
    def value_and_gradient(w):  # flat at the start, steep below
        slope = 1 / (1 + np.exp(-50 * np.maximum(w, -10.0)))
        return float(np.logaddexp(0, 50 * w[0]) / 50 + 0.5e-3 * w[0] ** 2), slope + 1e-3 * w

    result = runs_to_the_end(st.Function(value_and_gradient, 1), st.GradientDescent("auto"), w0=np.array([30.0]))
    assert result.history["learning_rate"].min() < result.history["learning_rate"].max()


@each_loss
@pytest.mark.parametrize("batch_size", [1, 7, None])
@pytest.mark.parametrize("constraint", [None, st.Box(-0.1, 0.2)])
def test_every_kind_of_run_comes_down(loss, batch_size, constraint):
    problem = Problem(loss, n=60, alpha=0.05, l1_ratio=0.5, weighted=True)
    options = {"batch_size": batch_size, "constraint": constraint, "max_epochs": 60, "random_state": 0}
    results = [st.minimize(problem.objective, None, make(), diagnose=False, **options) for make in AUTO.values()]
    best = min(result.value for result in results)
    for result in results:
        assert result.stop_reason == "max_epochs"
        assert result.value <= best + 0.05 * (result.history["loss"][0] - best)


def test_mini_batches_halve_the_rate_at_their_floor_of_noise():
    problem = Problem(n=200)
    result = st.minimize(
        problem.objective, None, st.GradientDescent("auto"), batch_size=4, max_epochs=80, random_state=1
    )
    rates, losses = result.history["learning_rate"], result.history["loss"]
    steps = rates[1:] / rates[:-1]
    assert set(np.round(steps, 12)) == {0.5, 1.0}
    rose = np.append(False, losses[1:] >= losses[:-1])
    np.testing.assert_array_equal(steps[1:] == 0.5, rose[1:-1])
    optimum = np.linalg.lstsq(np.column_stack([problem.data[0], np.ones(200)]), problem.data[1], rcond=None)[0]
    assert result.value == pytest.approx(problem.objective.value(optimum), rel=1e-3)


@each_auto
def test_the_same_run_on_any_number_of_threads(make):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 70))
    objective = st.Logistic(X, (X[:, 0] > rng.standard_normal(3000)).astype(float))
    paths = []
    for threads in (1, 2, 4):
        with st.threads(threads):
            result = st.minimize(objective, None, make(), max_epochs=60, record_path=True, diagnose=False)
        paths.append(result.path.tobytes())
    assert len(set(paths)) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_float32_comes_as_far_as_it_can(dtype):
    X, y = small("diabetes").standardised().X.astype(dtype), small("diabetes").y.astype(dtype)
    objective = st.LeastSquares(X, y / dtype(100))
    result = st.minimize(objective, None, st.Momentum("auto"), max_epochs=3000, stop=st.stop.GradientNorm(3e-6))
    assert result.converged


def test_more_parameters_than_a_spectrum_is_made_for():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((300, 90)), rng.standard_normal(300)
    runs_to_the_end(st.LeastSquares(X, y), st.GradientDescent("auto"))


def test_a_function_that_falls_for_ever_ends_in_a_result():
    function = st.Function(lambda w: (float(w[0]), np.ones(1)), 1)
    result = st.minimize(function, None, st.GradientDescent("auto"), max_epochs=30, diagnose=False)
    assert np.isfinite(result.w).all()
    assert result.value < -10


def test_a_function_that_is_finite_nowhere_else_stays_where_it_is():
    function = st.Function(lambda w: (0.0 if w[0] == 1.0 else np.nan, np.ones(1)), 1)
    result = st.minimize(function, np.ones(1), st.GradientDescent("auto"), max_epochs=200)
    assert (result.w[0], result.value) == (1.0, 0.0)


def test_a_function_that_is_not_defined_everywhere_is_kept_to_where_it_is():
    def value_and_gradient(w):  # w - log w
        return (float(w[0] - np.log(w[0])), 1 - 1 / w) if w[0] > 0 else (np.inf, np.array([np.nan]))

    for start in (1e-6, 0.5, 30.0):
        function = st.Function(value_and_gradient, 1)
        stop = st.stop.GradientNorm(1e-8)
        result = st.minimize(function, np.array([start]), st.GradientDescent("auto"), max_epochs=3000, stop=stop)
        assert result.value == function.value(result.w)
        assert (result.converged, result.w[0]) == (True, pytest.approx(1.0, abs=1e-7))


def test_unequal_weights_do_not_make_mini_batches_diverge():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 10))
    y, weight = X @ np.ones(10) + rng.standard_normal(2000), np.ones(2000)
    weight[:3] = 1e4
    for batch_size, make in [(1, AUTO["plain"]), (32, AUTO["plain"]), (1, AUTO["sum"]), (32, AUTO["nesterov"])]:
        objective = st.LeastSquares(X, y, sample_weight=weight)
        result = st.minimize(objective, None, make(), batch_size=batch_size, max_epochs=50, random_state=0)
        assert (result.history["loss"] <= 1.01 * result.history["loss"][0]).all()


def test_arithmetic_coarser_than_the_dtype_says():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 5)).astype(np.float32), rng.standard_normal(30).astype(np.float32)
    coarse = st.LeastSquares(X, y, intercept=False)

    def value_and_gradient(w):
        value, gradient = coarse.value_and_gradient(w.astype(np.float32))
        return float(np.float32(value)), gradient

    stop = st.stop.GradientNorm(3e-5)
    result = st.minimize(
        st.Function(value_and_gradient, 5), None, st.GradientDescent("auto"), max_epochs=2000, stop=stop
    )
    assert result.converged


def test_auto_belongs_to_a_run():
    optimizer = st.GradientDescent("auto")
    assert repr(optimizer) == "GradientDescent(learning_rate='auto')"
    with pytest.raises(ValueError, match='learning_rate="auto" comes from the curvature of an objective'):
        optimizer.step(np.ones(2), np.ones(2))
    st.minimize(quadratic(np.eye(2)), np.ones(2), optimizer, max_epochs=3)
    assert optimizer.learning_rate == "auto"
    assert optimizer.state_dict()["hyperparameters"]["learning_rate"] == "auto"


@pytest.mark.parametrize("optimizer", [st.AdaGrad, st.RMSProp, st.Adam])
def test_rules_that_scale_coordinates_have_no_auto(optimizer):
    with pytest.raises(ValueError, match=r'learning_rate of .* \("auto" is for GradientDescent and Momentum\)'):
        optimizer("auto")

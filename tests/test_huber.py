"""Huber's loss: what `delta` means, that it is kept, and minima that no other code of ours computed."""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pytest

import steepest as st


def data(n=200, d=4, scale=1.0, seed=0):
    """Targets of which a fifth are far off."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    y = scale * (X @ rng.standard_normal(d) + 1.0) + rng.standard_normal(n)
    y[rng.random(n) < 0.2] += 50.0 * scale
    return X, y


@pytest.mark.parametrize("epsilon", [1.1, 1.35, 3.0])
def test_the_minimum_is_that_of_scikit_learn_at_its_scale(epsilon):
    """HuberRegressor's loss at its scale sigma is that of delta = epsilon sigma, over sigma."""
    linear = pytest.importorskip("sklearn.linear_model")
    X, y = data()
    theirs = linear.HuberRegressor(epsilon=epsilon, alpha=0.0, max_iter=10_000, tol=1e-9).fit(X, y)
    ours = st.minimize(st.Huber(X, y, delta=epsilon * theirs.scale_))
    assert ours.converged
    np.testing.assert_allclose(ours.w, [*theirs.coef_, theirs.intercept_], rtol=0, atol=1e-4)


def test_the_minimum_of_one_parameter_in_closed_form():
    """Slopes of 0, 0 - b and a far row: 2 (b + b) = 2 delta, so that b = delta / 2."""
    objective = st.Huber(np.ones((3, 1)), np.array([0.0, 0.0, 1e6]), delta=0.5, intercept=False)
    result = st.minimize(objective)
    assert result.w[0] == pytest.approx(0.25, rel=1e-12)
    assert result.value == pytest.approx((2 * 0.25**2 + 2 * 0.5 * (1e6 - 0.25) - 0.5**2) / 3, rel=1e-14)


def test_a_large_delta_is_least_squares():
    X, y = data()
    ours, theirs = st.Huber(X, y, delta=1e6), st.LeastSquares(X, y)
    w = np.linspace(-1.0, 1.0, 5)
    assert ours.value(w) == pytest.approx(theirs.value(w), rel=1e-14)
    np.testing.assert_allclose(ours.gradient(w), theirs.gradient(w), rtol=1e-12)
    np.testing.assert_allclose(ours.hessian(w), theirs.hessian(w), rtol=1e-14)
    np.testing.assert_allclose(st.minimize(ours).w, st.minimize(theirs).w, rtol=1e-9)


def test_delta_is_kept():
    X, y = data()
    objective = st.Huber(X, y, delta=0.25, alpha=0.1)
    w = np.linspace(-1.0, 1.0, 5)
    assert objective.delta == 0.25
    assert repr(objective) == "Huber(200 x 4 float64, delta=0.25, alpha=0.1, l1_ratio=0)"
    assert pickle.loads(pickle.dumps(objective)).value(w) == objective.value(w)
    assert objective.loss_on(X, y).value(w) == st.Huber(X, y, delta=0.25).value(w)
    rows = np.arange(0, 200, 3)
    batch = objective.native_batch(rows.astype(np.uint32))
    assert batch.value(w) == pytest.approx(st.Huber(X[rows], y[rows], delta=0.25, alpha=0.1).value(w), rel=1e-14)


@pytest.mark.parametrize("exponent", [-60, 0, 60])
def test_delta_is_in_the_units_of_the_targets(exponent):
    """Targets and delta times c give parameters times c: powers of two round nothing."""
    X, y = data()
    ours = st.minimize(st.Huber(X, np.ldexp(y, exponent), delta=np.ldexp(1.35, exponent)))
    assert ours.converged
    np.testing.assert_allclose(np.ldexp(ours.w, -exponent), st.minimize(st.Huber(X, y)).w, rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d"), [(200, 4), (30_000, 10), (3000, 600)])
def test_all_rows_may_be_far_where_a_run_begins(n, d, dtype):
    """No row has a curvature there. A share of the errors is within delta at the minimum, where the gradient is 0."""
    X, y = data(n, d, scale=1000.0)
    objective = st.Huber(X.astype(dtype), y.astype(dtype))
    zeros = np.zeros(d + 1, dtype)
    result = st.minimize(objective)
    assert result.converged
    largest = 1e-8 if dtype == np.float64 else 0.05
    assert np.linalg.norm(objective.gradient(result.w)) <= largest * np.linalg.norm(objective.gradient(zeros))


def test_targets_about_a_far_mean():
    """A shift of the targets shifts the intercept."""
    X, y = data()
    near, far = st.minimize(st.Huber(X, y)), st.minimize(st.Huber(X, y + 2.0**30))
    assert far.converged
    np.testing.assert_allclose(far.w - [*np.zeros(4), 2.0**30], near.w, rtol=0, atol=1e-5)


@pytest.mark.parametrize("bad", [0, 0.0, -1.0, np.nan, np.inf, 1e-60, 1e60])
def test_a_delta_out_of_range_is_refused(bad):
    X, y = (each.astype(np.float32) for each in data())
    with pytest.raises(ValueError, match=r"delta must be a .*number .*got"):
        st.Huber(X, y, delta=bad)


@pytest.mark.parametrize("bad", [None, "1", True, [1.0]])
def test_a_delta_of_another_type_is_refused(bad):
    with pytest.raises(TypeError, match="delta must be a finite number above 0, got"):
        st.Huber(*data(), delta=bad)


def test_no_closed_form_is_claimed():
    with pytest.raises(TypeError, match="objective must be a LeastSquares, which has a closed form, got"):
        st.normal_equation(st.Huber(*data()))


@pytest.fixture
def regressor():
    pytest.importorskip("sklearn")
    return st.LinearRegressor


@pytest.mark.parametrize("exponent", [-150, 0, 100])
@pytest.mark.parametrize("options", [{}, {"standardize": True}, {"fit_intercept": False}, {"alpha": 0.5}])
def test_the_estimator_has_delta_in_the_units_of_y(regressor, options, exponent):
    """The minimum is that of the objective; with both in other units, too. The penalty of a square has the loss's."""
    X, y = data()
    intercept, alpha = options.get("fit_intercept", True), options.get("alpha", 0.0)
    expected = st.minimize(st.Huber(X, y, delta=0.7, intercept=intercept, alpha=alpha)).w
    model = regressor(loss="huber", delta=np.ldexp(0.7, exponent), **options).fit(X, np.ldexp(y, exponent))
    found = np.append(model.coef_, [model.intercept_] * intercept)
    np.testing.assert_allclose(np.ldexp(found, -exponent), expected, rtol=1e-6, atol=1e-8)
    if exponent == 0:
        value = st.Huber(X, y, delta=0.7, intercept=intercept, alpha=alpha).value(expected)
        assert model.history_["loss"][-1] == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("optimizer", ["auto", "gradient-descent"])
def test_one_huge_target_costs_the_others_no_digits(regressor, optimizer):
    """In float32 the mean of these targets is 1e7: taken from targets near 1, it would leave no digit of them."""
    X, y = (each.astype(np.float32) for each in data(20_000, 4))
    y[3] = 2e11
    w = st.minimize(st.Huber(X.astype(float), y.astype(float))).w
    model = regressor(optimizer, loss="huber", max_iter=500)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, y)
    np.testing.assert_allclose([*model.coef_, model.intercept_], w, rtol=0, atol=0.02)


def test_the_estimator_takes_more_rows(regressor):
    X, y = data(2000)
    model = regressor("adam", loss="huber", random_state=0)
    for _ in range(30):
        model.partial_fit(X, y)
    objective = st.Huber(X, y)
    assert objective.value(np.append(model.coef_, model.intercept_)) < 1.02 * st.minimize(objective).value
    assert objective.value(np.zeros(5)) > 1.1 * st.minimize(objective).value


def test_a_fit_whose_rate_is_in_units_of_one_huge_target_warns(regressor):
    X, y = (each.astype(np.float32) for each in data(20_000, 4))
    y[3] = 2e9
    with pytest.warns(UserWarning, match="The fit has learned nothing: it ends at a loss of"):
        regressor("adam", loss="huber", max_iter=100).fit(X, y)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"loss": "squares"}, "loss must be 'least_squares', .*, got 'squares'"),
        ({"loss": "huber", "delta": 0}, "delta must be a finite number above 0, got 0"),
    ],
)
def test_an_estimator_names_what_is_wrong(regressor, options, told):
    with pytest.raises(ValueError, match=told):
        regressor(**options).fit(*data())


@pytest.mark.parametrize("shift", [(1.0, 1e4), (1.0, 1e6), (3e4, 2e5), (1e6, 0.0)], ids=str)
def test_float32_targets_far_from_delta_are_fitted_or_told(regressor, shift):
    """As the float64 fit of the same numbers does, but for the digits that float32 targets have."""
    X, y = data(500)
    y = (shift[0] * y + shift[1]).astype(np.float32)
    single, double = (regressor("auto", loss="huber", max_iter=1000) for _ in range(2))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        single.fit(X.astype(np.float32), y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        double.fit(X.astype(np.float32).astype(float), y.astype(float))
    assert single.converged_ or [w for w in heard if "not converged" in str(w.message)]
    rounding = 4 * np.finfo(np.float32).eps * np.abs(y).max()
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=2e-3, atol=rounding)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("delta", [1e-6, 1e-12, 1e-24])
def test_a_tiny_delta_gives_least_absolute_deviations(delta, dtype):
    """The minimum of the mean of abs(r) is that of a linear programme. A run that falls short of it says so."""
    from scipy.optimize import linprog

    X, y = data(200)
    X, y = X.astype(dtype).astype(float), y.astype(dtype).astype(float)
    n, columns = len(y), np.column_stack([X, np.ones(len(y))])
    d = columns.shape[1]
    constraints = np.block([[columns, -np.eye(n)], [-columns, -np.eye(n)]])
    costs, bounds = np.r_[np.zeros(d), np.ones(n) / n], [(None, None)] * d + [(0, None)] * n
    best = linprog(costs, constraints, np.r_[y, -y], bounds=bounds).fun
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run = st.minimize(st.Huber(X.astype(dtype), y.astype(dtype), delta=delta))
    assert np.abs(columns @ run.w.astype(float) - y).mean() < 1.001 * best


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("n", "d"), [(23, 2), (50, 37)])
@pytest.mark.parametrize(("l1_ratio", "positive"), [(1.0, False), (1.0, True), (0.0, False)])
def test_paths_of_few_rows_end_at_their_minima(n, d, l1_ratio, positive, dtype):
    """Most rows are far, so that the Hessian of the others is singular."""
    rng, delta = np.random.default_rng(n), 0.1
    X = (rng.standard_normal((n, d)) * np.geomspace(0.1, 10.0, d)).astype(dtype)
    y = (X[:, 0] + 10.0 * rng.standard_t(2, n)).astype(dtype)
    weight = rng.integers(0, 3, n).astype(dtype)
    path = st.path(st.Huber(X, y, delta=delta, sample_weight=weight), l1_ratio=l1_ratio, n_alphas=15, positive=positive)
    assert path.converged.all()
    shares = weight / weight.sum(dtype=np.float64)
    for alpha, w, b in zip(path.alphas, path.coefs.toarray(), path.intercepts, strict=True):
        slopes = 2.0 * shares * np.clip(X @ w.astype(np.float64) + b - y, -delta, delta)
        gradient = X.T @ slopes + alpha * (1.0 - l1_ratio) * w
        l1 = alpha * l1_ratio
        pulls = np.maximum((-gradient if positive else np.abs(gradient)) - l1, 0.0)
        left = np.where(w == 0.0, pulls, np.abs(gradient + l1 * np.sign(w)))
        assert left.max() < (0.1 if dtype == np.float32 else 1e-4) * alpha
        assert abs(slopes.sum()) < 1e-3 * delta


@pytest.mark.parametrize("seed", [4, 47])
def test_slopes_of_far_rows_are_exact(seed):
    """In float32, targets of 4e4 hide no slope of a row far from its bend: a run goes on, or says that it could not."""
    random = np.random.default_rng(seed)
    n, d = int(random.integers(30, 300)), int(random.integers(3, 30))
    X = np.where(random.random((n, d)) < 0.3, random.standard_normal((n, d)), 0.0).astype(np.float32)
    y, alpha = (4e4 * random.standard_normal(n)).astype(np.float32), float(10 ** random.uniform(-4, 0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DiagnosisWarning)
        found = st.minimize(st.Huber(X, y, alpha=alpha, intercept=False))
    exact = st.Huber(X.astype(np.float64), y.astype(np.float64), alpha=alpha, intercept=False)
    least = st.minimize(exact, stop=st.stop.GradientNorm(1e-9), max_epochs=3000)
    assert least.converged
    share = (exact.value(found.w.astype(np.float64)) - least.value) / (exact.value(np.zeros(d)) - least.value)
    assert share < (1e-5 if found.converged else 1e-3)

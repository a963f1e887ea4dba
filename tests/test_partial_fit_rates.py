"""The learning rate of `partial_fit` that comes from the curvature: its bound, and where it takes a stream."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning

import steepest as st
from steepest.arrays.sparse import csr_view
from steepest.estimators.online_rate import curvature_of, schedule_for, squared_norms
from steepest.estimators.rows import Rows
from steepest.estimators.scaling import Scaling

NAMES = ["gradient-descent", "momentum", "nesterov"]
RNG = np.random.default_rng(5)


def kinds(X):
    yield X
    yield np.asfortranarray(X)
    yield csr_view(sp.csr_matrix(X))
    yield st.Table(X[:, :2].copy(), sp.csr_matrix(X[:, 2:]))


@pytest.mark.parametrize("scaled", [False, True])
def test_squared_norms_of_rows(scaled):
    X = RNG.standard_normal((50, 6)) * (RNG.random((50, 6)) < 0.5)
    scaling = Scaling(RNG.standard_normal(6), RNG.uniform(0.5, 2, 6)) if scaled else None
    right = np.sum(((X - scaling.centre) / scaling.scale if scaled else X) ** 2, axis=1)
    for each in kinds(X):
        np.testing.assert_allclose(squared_norms(each, scaling), right, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("loss", "bend"), [(st.LeastSquares, 2.0), (st.Logistic, 0.25), (st.Huber, 2.0)])
def test_the_curvature_is_that_of_a_batch(loss, bend, weighted):
    X, y = RNG.standard_normal((200, 6)) * [1, 2, 3, 4, 5, 6], RNG.integers(0, 2, 200).astype(float)
    weight = RNG.uniform(0, 3, 200) if weighted else None
    s, ones = np.ones(200) if weight is None else weight, np.column_stack([X, np.ones(200)])
    right = bend * np.linalg.eigvalsh((ones * s[:, None]).T @ ones / 200)[-1]
    right += bend * np.max(s * np.sum(ones**2, axis=1)) / 8 + 0.5
    for each in kinds(X):
        objective = loss(each, y, sample_weight=weight, alpha=0.5)
        found, _ = curvature_of(objective, np.zeros(7), Rows(each, y, weight, weight), None, 8, None)
        assert found == pytest.approx(right, rel=1e-9)


def test_the_curvature_of_many_columns_is_found_by_power_iteration():
    X, y = RNG.standard_normal((300, 90)) * np.linspace(1, 3, 90), np.zeros(300)
    ones = np.column_stack([X, np.ones(300)])
    right = 2 * np.linalg.eigvalsh(ones.T @ ones / 300)[-1] + 2 * np.max(np.sum(ones**2, axis=1)) / 8
    objective, rows = st.LeastSquares(X, y), Rows(X, y, None, None)
    first, direction = curvature_of(objective, np.zeros(91), rows, None, 8, None)
    again, _ = curvature_of(objective, np.zeros(91), rows, None, 8, direction)
    assert 0.9 * right < first <= again <= right * (1 + 1e-9)


def test_the_curvature_of_counts_is_that_at_the_parameters():
    """Its second derivative is e^z. Here z = 3 + x, or the best constant, where it is higher."""
    x, w = np.array([0.0, 1.0, -9.0]), np.array([1.0, 3.0])
    y = np.array([0.0, 2.0, 40.0])
    bends = np.maximum(np.exp(w[0] * x + w[1]), 14.0)  # the mean of y is 14
    objective, rows = st.Poisson(x[:, None], y), Rows(x[:, None], y, None, None)
    found, _ = curvature_of(objective, w, rows, None, 1, None)
    ones = np.column_stack([x, np.ones(3)])
    steepest = np.max(bends * np.sum(ones**2, axis=1))
    largest = min(bends.max() * np.linalg.eigvalsh(ones.T @ ones / 3)[-1], steepest)
    assert found == pytest.approx(largest + steepest, rel=1e-6)


def test_the_rates_of_a_curvature():
    assert schedule_for(st.GradientDescent("auto"), 4.0)(0) == 0.25
    assert schedule_for(st.GradientDescent("auto"), 4.0)(300) == 0.125
    assert schedule_for(st.Momentum("auto", momentum=0.5), 4.0)(0) == 0.125
    assert schedule_for(st.Momentum("auto", momentum=0.5, velocity="average"), 4.0)(0) == 0.25
    assert schedule_for(st.GradientDescent("auto"), 0.0)(0) == 1.0
    with pytest.raises(ValueError, match="rows whose squares overflow"):
        schedule_for(st.GradientDescent("auto"), np.inf)


D, N = 10, 20_000
X = RNG.standard_normal((N, D)) + 0.5
SCORES = X @ RNG.standard_normal(D) + 1.0
TARGETS = {
    "least_squares": SCORES + 0.5 * RNG.standard_normal(N),
    "huber": SCORES + 0.5 * RNG.standard_t(2, N),
    "poisson": RNG.poisson(np.exp(0.2 * SCORES)).astype(float),
    "logistic": (RNG.logistic(size=N) < SCORES).astype(int),
    "softmax": np.digitize(SCORES + RNG.logistic(size=N), [-1.0, 3.0]),
}
STREAMS = {
    "even": (np.arange(N), [500] * 40),
    "one chunk": (np.arange(N), [N]),
    "small": (np.arange(1400), [7] * 200),
    "single rows": (np.arange(600), [1] * 600),
    "ever larger": (np.argsort(np.sum(X**2, axis=1)), [500] * 40),
    "ever smaller": (np.argsort(-np.sum(X**2, axis=1)), [500] * 40),
}
BARS = {"least_squares": 0.005, "huber": 0.01, "poisson": 0.08, "logistic": 0.08, "softmax": 0.08}
OF_FEW_ROWS = 4.0  # times the bar


def estimator(name, loss, **options):
    options = {"alpha": 1e-3, "random_state": 0} | options
    if loss in ("logistic", "softmax"):
        return st.LogisticClassifier(name, **options)
    return st.LinearRegressor(name, loss=loss, **options)


def excess(model, X, y, loss, alpha=1e-3):
    """The part of the loss above its minimum that is left of the model of the best constant."""
    X = X.astype(np.float64)
    kind = {"softmax": st.Softmax}.get(loss) or getattr(
        st, {"least_squares": "LeastSquares"}.get(loss, loss.capitalize())
    )
    objective = kind(X, y.astype(float), alpha=alpha)
    w = np.column_stack([np.atleast_2d(model.coef_), np.atleast_1d(model.intercept_)]).astype(np.float64).ravel()
    best = st.minimize(objective).value
    return (objective.value(w) - best) / (objective.value(objective.constant_model()) - best)


def stream(model, X, y, sizes):
    ends = np.cumsum(sizes)
    assert ends[-1] == len(y)
    first = {"classes": np.unique(y)} if isinstance(model, st.LogisticClassifier) else {}
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        model.partial_fit(X[start:end], y[start:end], **first)
        assert np.isfinite(model.coef_).all()
    return model


@pytest.mark.parametrize("order", STREAMS)
@pytest.mark.parametrize("loss", TARGETS)
@pytest.mark.parametrize("name", NAMES)
def test_a_stream_ends_near_the_fit_of_all_rows(name, loss, order):
    """Warnings are errors here: no call diverges."""
    rows, sizes = STREAMS[order]
    y = TARGETS[loss][rows]
    model = stream(estimator(name, loss), X[rows], y, sizes)
    assert excess(model, X[rows], y, loss) < BARS[loss] * (OF_FEW_ROWS if len(rows) < N else 1.0)


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize("loss", ["least_squares", "logistic"])
@pytest.mark.parametrize("name", NAMES)
def test_chunks_of_very_different_scale_do_not_diverge(name, loss, batch_size):
    """The first chunk is 1000 times smaller than the largest, whose rate is a millionth of its own."""
    sizes = np.repeat([1e-2, 1.0, 10.0, 1e-1, 1.0, 10.0, 1e-2, 1.0, 10.0, 10.0], N // 10)
    scaled = X * sizes[:, None]
    scores = scaled @ np.linspace(-0.2, 0.2, D) + 0.1
    y = scores + 0.1 * RNG.standard_normal(N) if loss == "least_squares" else scores > RNG.logistic(size=N)
    model = stream(estimator(name, loss, batch_size=batch_size), scaled, y, [N // 10] * 10)
    assert excess(model, scaled, y, loss) < 0.05


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("loss", ["least_squares", "logistic"])
def test_rows_in_the_order_of_a_column(name, loss):
    rows = np.argsort(X[:, 0])
    y = TARGETS[loss][rows]
    assert excess(stream(estimator(name, loss), X[rows], y, [500] * 40), X[rows], y, loss) < 0.3


@pytest.mark.parametrize("name", NAMES)
def test_targets_in_order_do_not_diverge(name):
    """Within a chunk all targets are alike, so its steps unlearn the columns: they do not come near, nor grow."""
    rows = np.argsort(TARGETS["least_squares"])
    y = TARGETS["least_squares"][rows]
    assert excess(stream(estimator(name, "least_squares"), X[rows], y, [500] * 40), X[rows], y, "least_squares") < 10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", NAMES)
def test_sparse_and_standardised_streams(name, dtype):
    data = sp.random(6000, 200, 0.05, "csr", random_state=0, dtype=dtype)
    y = (data @ RNG.standard_normal(200) > 0).astype(int)
    for options in ({}, {"standardize": True}):
        model = stream(estimator(name, "logistic", **options), data, y, [500] * 12)
        assert model.score(data, y) > 0.75
    columns = X * np.geomspace(1e-3, 1e3, D)
    model = stream(
        estimator(name, "logistic", standardize=True), columns.astype(dtype), TARGETS["logistic"], [500] * 40
    )
    whole = estimator("auto", "logistic", standardize=True).fit(columns, TARGETS["logistic"])
    assert model.score(columns, TARGETS["logistic"]) > whole.score(columns, TARGETS["logistic"]) - 0.02


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_standardised_chunks_of_few_rows(name, size):
    """The statistics of the first rows say little of the others."""
    columns, y = X[:900] * np.geomspace(1e-3, 1e3, D) + np.linspace(0, 20, D), TARGETS["least_squares"][:900]
    model = stream(estimator(name, "least_squares", standardize=True), columns, y, [size] * (900 // size))
    assert model.score(columns, y) > 0.9


def test_weights_scale_the_curvature():
    y = TARGETS["least_squares"]
    models = [
        estimator("gradient-descent", "least_squares", alpha=0.0).partial_fit(X, y, sample_weight=np.full(N, weight))
        for weight in (1.0, 1000.0)
    ]
    np.testing.assert_allclose(models[0].coef_, models[1].coef_, rtol=1e-9)


def test_an_optimizer_with_the_automatic_rate_does_as_its_name():
    y = TARGETS["logistic"]
    by_name = stream(estimator("momentum", "logistic"), X, y, [500] * 40)
    own = stream(estimator(st.Momentum("auto"), "logistic"), X, y, [500] * 40)
    assert np.array_equal(by_name.coef_, own.coef_)
    assert own._online.optimizer.is_auto
    assert own.history_["learning_rate"][-1] == pytest.approx(
        0.1 / own._online.curvature / np.sqrt(1 + (own._online.optimizer.n_steps - 1) / 100)
    )


def test_targets_whose_units_change_take_the_velocity_along():
    """Targets of the first chunk are 2^-20 of the others: units change by 2^20, and the steps do not jump."""
    y = TARGETS["least_squares"].copy()
    y[:200] *= 2.0**-20
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = stream(estimator("momentum", "least_squares"), X, y, [500] * 40)
    assert excess(model, X[200:], y[200:], "least_squares") < 0.05


@pytest.mark.parametrize("name", ["gradient-descent", "momentum", "adam"])
def test_a_rate_that_diverges_is_told(name):
    y = TARGETS["least_squares"]
    rate = {"adam": 1e6}.get(name, 0.4)
    model = estimator(name, "least_squares", learning_rate=rate, batch_size=8)
    with pytest.warns(ConvergenceWarning, match="The fit (diverged|does not converge)"):
        stream(model, X[:100], y[:100], [100])


def test_steps_that_rise_slowly_are_told_before_they_overflow():
    """Every step multiplies the error of a single column by -1.1."""
    x, y = np.ones((10, 1)), np.ones(10)
    model = st.LinearRegressor("gradient-descent", learning_rate=1.05, fit_intercept=False, batch_size=1)
    model.partial_fit(x, y).partial_fit(x, y)  # the loss is 1.1^40 = 45
    with pytest.warns(ConvergenceWarning, match="rose from 45.* to 304.* far above the 1 of a model of zeros"):
        model.partial_fit(x, y)
    assert model.stop_reason_ == "max_epochs"


def test_after_a_divergence_a_lower_rate_goes_on():
    y = TARGETS["least_squares"]
    model = estimator("momentum", "least_squares", learning_rate=10.0)
    with pytest.warns(ConvergenceWarning, match="diverged"):
        model.partial_fit(X, y)
    assert np.isfinite(model.coef_).all()
    stream(model.set_params(learning_rate=0.002), X, y, [500] * 40)
    assert excess(model, X, y, "least_squares") < 0.02

"""QuasiNewton: the minimum of whole-data problems, in few passes, with the same bits every time."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st_

import steepest as st
from cases import Problem, each_loss
from datasets import diamonds, digits, flights, small
from steepest.objectives.scaling import column_statistics
from steepest.quasi_newton.plan import SamplePlan
from steepest.quasi_newton.runner import QuasiNewtonRunner
from steepest.quasi_newton.sample import prior_of

seeds = st_.integers(0, 2**32 - 1)
NEVER = st.stop.GradientNorm(0.0)


def fit(objective, **options):
    return st.minimize(objective, optimizer=st.QuasiNewton(), **{"max_epochs": 300, "stop": NEVER, **options})


def correlated(n, d, seed=0, dtype=np.float64, loss=st.Logistic, correlation=0.95, **options):
    """Rows whose neighbouring columns are correlated, of unlike scale."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = correlation * X[:, j - 1] + np.sqrt(1 - correlation**2) * X[:, j]
    z = X @ rng.standard_normal(d) / np.sqrt(d)
    y = (z > rng.logistic(size=n)).astype(float) if loss is st.Logistic else z + rng.standard_normal(n)
    X *= np.logspace(0, -1, d)
    return loss(np.ascontiguousarray(X, dtype), y.astype(dtype), **options)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.05, 0.0), (0.05, 1.0), (0.05, 0.5), (0.0, 0.0)])
@pytest.mark.parametrize("shape", [(False, "C", True), (True, "F", True), (True, "C", False)])
def test_the_minimum_of_small_problems(loss, dtype, alpha, l1_ratio, shape):
    weighted, order, intercept = shape
    problem = Problem(loss, 60, 5, order, dtype, weighted, intercept, alpha, l1_ratio)
    result = fit(problem.objective)
    start = result.history["gradient_norm"][0]
    assert result.stop_reason == "precision"
    assert problem.gradient_norm(result.w.astype(float)) <= (1e-8 if dtype == np.float64 else 3e-6) * start
    assert (np.diff(result.history["loss"]) <= 1e-6 * np.abs(result.history["loss"][1:])).all()


REAL = {
    "breast_cancer": lambda: small("breast_cancer"),
    "diabetes": lambda: small("diabetes"),
    "digits": lambda: small("digits"),
    "digits 3 and 8": lambda: digits(3, 8),
    "diamonds": diamonds,
    "flights, late": lambda: flights("late"),
    "flights, delay": lambda: flights("delay"),
}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_real_problems_raw_and_standardised(name, l1_ratio):
    raw = REAL[name]()
    for data in (raw, raw.standardised()):
        result = fit(data.objective(alpha=1e-3, l1_ratio=l1_ratio), max_epochs=100)
        norms = result.history["gradient_norm"]
        assert norms.min() <= 1e-8 * norms[0]
        assert result.n_epochs < 60


def test_few_passes_where_plain_descent_takes_hundreds(monkeypatch):
    visits = []
    visit = QuasiNewtonRunner._evaluate_all_rows

    def counted(self, w):
        visits.append(w)
        return visit(self, w)

    monkeypatch.setattr(QuasiNewtonRunner, "_evaluate_all_rows", counted)
    objective = correlated(60_000, 30, dtype=np.float32, alpha=1e-4)
    result = fit(objective, stop=st.stop.GradientNorm(1e-6))
    assert result.converged
    assert len(visits) <= 10
    options = {"max_epochs": 300, "stop": st.stop.GradientNorm(1e-6), "diagnose": False}
    assert not st.minimize(objective, None, st.GradientDescent("auto"), **options).converged


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_least_squares_of_few_columns_take_two_passes(monkeypatch, l1_ratio, standardised):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30_000, 12)) + 3.0
    y = X @ rng.standard_normal(12) + rng.standard_normal(30_000)
    scaling = dict(zip(("centre", "scale"), column_statistics(X), strict=True)) if standardised else {}
    objective = st.LeastSquares(X, y, alpha=0.01, l1_ratio=l1_ratio, **scaling)
    visits, visit = [], QuasiNewtonRunner._evaluate_at
    monkeypatch.setattr(QuasiNewtonRunner, "_evaluate_at", lambda *args: visits.append(args) or visit(*args))
    zeros, far = np.zeros(13), np.full(13, 100.0)
    for start, passes in ((zeros, 1), (far, 3)):  # beside that of the Hessian; far out and zeros are looked at
        visits.clear()
        result = fit(objective, max_epochs=1, w0=start)
        assert len(visits) == passes
        loss, norms = result.history["loss"], result.history["gradient_norm"]
        assert loss[0] == pytest.approx(objective.value(start), rel=1e-12)
        assert norms[1] <= 1e-9 * norms[0]


@pytest.mark.parametrize("l1_ratio", [0.0, 0.7])
@pytest.mark.parametrize("loss", [st.Logistic, st.LeastSquares])
def test_a_diagonal_for_many_parameters_and_a_change_to_a_whole_hessian(monkeypatch, loss, l1_ratio):
    objective = correlated(2000, 120, loss=loss, correlation=0.8, alpha=1e-3, l1_ratio=l1_ratio)
    whole = fit(objective, max_epochs=400)
    monkeypatch.setattr("steepest.quasi_newton.plan._CHEAP", 0.0)
    changed = fit(objective, max_epochs=400)
    monkeypatch.setattr("steepest.quasi_newton.plan._MOST_PARAMETERS", 0)
    diagonal = fit(objective, max_epochs=400, stop=st.stop.GradientNorm(1e-7))
    for result in (whole, changed):
        assert result.history["gradient_norm"].min() <= 1e-8 * result.history["gradient_norm"][0]
    for result in (changed, diagonal):
        assert result.value == pytest.approx(whole.value, rel=1e-8)
    assert len(whole.history["loss"]) < len(diagonal.history["loss"])


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_the_same_bits_on_any_number_of_threads_and_every_time(l1_ratio):
    objective = correlated(25_000, 20, dtype=np.float32, alpha=1e-3, l1_ratio=l1_ratio)
    paths = set()
    for threads, seed in itertools.product((1, 2, 3), (0, 1)):
        with st.threads(threads):
            paths.add(fit(objective, max_epochs=12, record_path=True, random_state=seed).path.tobytes())
    assert len(paths) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_separable_classes_end_with_a_warning(dtype):
    data = digits(3, 8).standardised()
    objective = st.Logistic(data.X.astype(dtype), data.y.astype(dtype))
    with pytest.warns(st.DiagnosisWarning, match="the classes are separable.*set alpha above 0"):
        result = fit(objective)
    assert (result.stop_reason, result.converged, result.diagnosis.kind) == ("separable", False, "separable")
    assert ((data.X @ result.w[:-1] + result.w[-1] > 0) == (data.y > 0.5)).all()
    assert fit(st.Logistic(objective.X, objective.y, alpha=1e-6), diagnose=False).stop_reason == "precision"


def test_one_class_has_no_minimum_either():
    X = np.random.default_rng(0).standard_normal((30, 2))
    with pytest.warns(st.DiagnosisWarning, match="no row with a weight"):
        assert fit(st.Logistic(X, np.ones(30))).stop_reason == "separable"


@given(n=st_.integers(1, 10**8), d=st_.integers(1, 10**5), k=st_.integers(1, 20), itemsize=st_.sampled_from([4, 8]))
@settings(deadline=None, max_examples=100)
def test_a_plan_fits_its_problem(n, d, k, itemsize):
    plan = SamplePlan(n, d, k * (d + 1), itemsize)
    assert 1 <= plan.rows <= plan.hessian_rows <= n
    assert plan.possible or not plan.whole
    assert plan.cost(plan.rows) <= plan.cost(n)
    exact = SamplePlan(n, d, k * (d + 1), itemsize, is_quadratic=True)
    assert plan.rows <= exact.rows <= n
    assert exact.rows < n or exact.whole == (exact.cost(n) <= 4 or plan.whole)


def test_what_a_run_has_besides():
    problem, seen = Problem("logistic", alpha=0.1), []
    X, y, _ = Problem("logistic", seed=1).data
    optimizer = st.QuasiNewton()
    result = fit_with = st.minimize(
        problem.objective,
        problem.w0,
        optimizer,
        max_epochs=5,
        validation=(X, y),
        callbacks=lambda progress: seen.append(progress.epoch),
        record_path=True,
        stop=st.stop.NoImprovement(100),
    )
    assert fit_with.path.shape == (result.n_steps + 1, 6)
    assert optimizer.n_steps == result.n_steps
    assert seen == result.history["epoch"].tolist()
    assert set(result.history["learning_rate"]) == {1.0}
    assert len(result.history["validation_loss"]) == len(seen)
    np.testing.assert_array_equal(result.path[0], problem.w0)
    assert optimizer.state_dict() == {"name": "QuasiNewton", "n_steps": result.n_steps}
    assert repr(optimizer) == "QuasiNewton()"


def test_it_is_the_default_for_whole_data():
    problem = Problem("logistic", alpha=0.1)
    chosen = fit(problem.objective)
    assert st.minimize(problem.objective, max_epochs=300, stop=NEVER).w.tobytes() == chosen.w.tobytes()
    options = {"max_epochs": 10, "batch_size": 5, "random_state": 0}
    at_once = st.minimize(problem.objective, **options)
    adam = st.minimize(problem.objective, None, st.Adam(), **options)
    assert at_once.w.tobytes() == adam.w.tobytes()
    boxed = st.minimize(problem.objective, max_epochs=20, constraint=st.Box(0, 1), diagnose=False)
    adam = st.minimize(problem.objective, None, st.Adam(), max_epochs=20, constraint=st.Box(0, 1), diagnose=False)
    assert boxed.w.tobytes() == adam.w.tobytes()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"objective": st.Function(lambda w: (0.0, w), 2)},
            TypeError,
            "optimizer=st.QuasiNewton() needs an objective with statistics of its columns, which LeastSquares",
        ),
        ({"batch_size": 5}, ValueError, "batch_size must be None for st.QuasiNewton"),
        ({"constraint": st.Box(0, 1)}, ValueError, "constraint must be None or a st.Box of bounds 0 and infinity"),
    ],
)
def test_what_it_cannot_do(options, error, message):
    objective = options.pop("objective", Problem().objective)
    with pytest.raises(error, match=re.escape(message)):
        fit(objective, **options)


def test_a_state_of_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="state_dict must be of QuasiNewton, got one from 'Adam'"):
        st.QuasiNewton().load_state_dict(st.Adam().state_dict())


def test_carriers_of_few_flights_cost_no_passes(monkeypatch):
    visits, visit = [], QuasiNewtonRunner._evaluate_all_rows
    monkeypatch.setattr(QuasiNewtonRunner, "_evaluate_all_rows", lambda self, w: visits.append(w) or visit(self, w))
    data = flights("late").standardised()
    objective = st.Logistic(data.X.astype(np.float32), data.y.astype(np.float32), alpha=1e-4)
    assert fit(objective, stop=st.stop.GradientNorm(1e-6)).converged
    assert len(visits) <= 10  # 12 and a whole Hessian where the sample alone has its say


@pytest.mark.parametrize("loss", [st.Logistic, st.LeastSquares, st.Softmax])
@pytest.mark.parametrize("dtype", [np.float16, np.float64])
@pytest.mark.parametrize("scaled", [False, True])
def test_what_few_rows_say_is_held_down(loss, dtype, scaled):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1500, 3))
    X[:, 2] = np.arange(1500) == 7
    X, centre, scale = X.astype(dtype), np.array([0.5, 0, 0]), np.array([1, 2, 0.1])
    y = (np.arange(1500) % (3 if loss is st.Softmax else 2)).astype(np.float32 if dtype == np.float16 else dtype)
    objective = loss(X, y, **({"centre": centre, "scale": scale} if scaled else {}))
    prior = prior_of(objective, objective.data.taken(np.arange(1200)))
    exact = X[:1200].astype(float)
    exact = (exact - centre) / scale if scaled else exact
    curvature = {st.Logistic: 0.25, st.LeastSquares: 2.0, st.Softmax: 2 / 9}[loss]
    known = (exact**2).sum(axis=0) ** 2 / (exact**4).sum(axis=0)
    expected = 5 * curvature * (exact**2).mean(axis=0) / known
    assert known[2] == pytest.approx(1)
    np.testing.assert_allclose(prior, np.tile(np.append(expected, 0), 3 if loss is st.Softmax else 1), rtol=1e-3)
    if not scaled and dtype == np.float64:
        large = loss((1e15 * X).astype(np.float32), y.astype(np.float32))
        found = prior_of(large, large.data.taken(np.arange(1200)))
        np.testing.assert_allclose(found, 1e30 * prior, rtol=1e-4)

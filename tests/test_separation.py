"""Separable and quasi-separable classes without a penalty: told where they are, by a linear program, and nowhere else.

The right verdict is that of `scipy.optimize.linprog`: with a . v the lead of a row's class over another's, the greatest
sum of min(a . v, 1) with all a . v >= 0 is 0 where the classes overlap, and the number of vectors where all are apart.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as strategy
from scipy.optimize import linprog
from sklearn.exceptions import ConvergenceWarning

import steepest as st
from steepest.analysis.ranges import a_column_separates
from steepest.analysis.recession import HalfSpaces
from steepest.analysis.separability import _search, loss_of_a_wrong_row, separating_loss, separation


def leads(X, y, k, intercept, weight=None):
    """Return the vectors a, one for each row with a weight and each class but its own, and each class's parameters."""
    X = np.column_stack([X, np.ones(len(X))]) if intercept else np.asarray(X, dtype=float)
    found = []
    for i, (x, own) in enumerate(zip(X, np.asarray(y, dtype=int), strict=True)):
        for other in range(k):
            if other != own and (weight is None or weight[i] > 0):
                a = np.zeros((k, X.shape[1]))
                a[own], a[other] = x, -x
                found.append(a.ravel())
    return np.array(found)


def oracle(*arguments):
    A = leads(*arguments)
    m, p = A.shape
    cost = np.concatenate([np.zeros(p), -np.ones(m)])
    best = linprog(cost, np.hstack([-A, np.eye(m)]), np.zeros(m), bounds=[(None, None)] * p + [(0, 1)] * m)
    assert best.status == 0
    return "" if -best.fun < 0.5 else "all" if -best.fun > m - 0.5 else "some"


def searched(objective):
    spaces = HalfSpaces(objective)
    none = np.zeros(0, dtype=np.intp)
    return _search(spaces, (none, none))


def objective_of(X, y, k, intercept, dtype=np.float64, **options):
    X, y = np.asarray(X, dtype=dtype), np.asarray(y, dtype=dtype)
    if k == 2:
        return st.Logistic(X, y, intercept=intercept, **options)
    return st.Softmax(X, y, n_classes=k, intercept=intercept, **options)


@strategy.composite
def problems(draw):
    k, n, d = draw(strategy.integers(2, 4)), draw(strategy.integers(2, 14)), draw(strategy.integers(1, 4))
    random = np.random.default_rng(draw(strategy.integers(0, 10**6)))
    X = random.integers(-2, 3, (n, d)) if draw(strategy.booleans()) else random.integers(0, 2, (n, d))
    y = random.integers(0, k, n)
    if draw(strategy.booleans()):  # more often at the edge of what is separable
        scores = X @ random.integers(-2, 3, (d, k)) + random.integers(-1, 2, k)
        y = np.where(random.random(n) < 0.9, scores.argmax(axis=1), y)
    weight = random.integers(0, 3, n).astype(float) if draw(strategy.booleans()) else None
    if weight is not None and not weight.any():
        weight[0] = 1.0
    return X, y, k, draw(strategy.booleans()), weight


@given(problems())
def test_the_search_is_that_of_a_linear_program(problem):
    *problem, weight = problem
    objective = objective_of(*problem, sample_weight=weight)
    assert searched(objective) == oracle(*problem, weight)


@given(problems(), strategy.sampled_from([1.0, 3e4, 1e-5, 1e3 / 7]))
def test_the_search_of_columns_with_a_centre_and_a_scale(problem, size):
    X, y, k, intercept, weight = problem
    shift = np.arange(1.0, X.shape[1] + 1) if intercept else np.zeros(X.shape[1])
    objective = objective_of(
        X * size, y, k, intercept, sample_weight=weight, centre=shift, scale=np.linspace(1, 3, X.shape[1])
    )
    assert searched(objective) == oracle(X, y, k, intercept, weight)


@given(problems())
def test_a_column_that_separates_is_no_false_alarm(problem):
    *problem, weight = problem
    objective = objective_of(*problem, sample_weight=weight)
    if a_column_separates(objective):
        assert oracle(*problem, weight) != ""


OPTIMIZERS = {
    "quasi-newton": (st.QuasiNewton, {}),
    "gradient descent": (lambda: st.GradientDescent("auto"), {}),
    "gradient descent at a rate": (lambda: st.GradientDescent(0.5), {}),
    "momentum": (lambda: st.Momentum("auto"), {}),
    "momentum at a rate": (lambda: st.Momentum(0.1), {}),
    "adam": (lambda: st.Adam(0.1), {}),
    "mini-batches": (lambda: st.Adam(0.1), {"batch_size": 4}),
}


def run(objective, make, options, tol=1e-4, epochs=3000):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", st.DiagnosisWarning)
        return st.minimize(
            objective, optimizer=make(), stop=st.stop.GradientNorm(tol), max_epochs=epochs, random_state=0, **options
        )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("make", "options"), OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("loss", ["logistic", "softmax"])
@pytest.mark.parametrize(
    ("X", "y", "kind"),
    [
        ([[0], [1], [2], [3]], [0, 0, 1, 1], "all"),
        ([[0], [0], [0], [1], [1]], [0, 1, 0, 1, 1], "some"),
        ([[0, 1], [1, 0], [0, 2], [1, 1], [1, 1], [2, 2]], [0, 1, 0, 0, 1, 1], "some"),
        ([[0], [0], [0], [1], [1]], [0, 1, 0, 1, 0], ""),
        ([[0], [1], [2], [3]], [0, 1, 0, 1], ""),
    ],
)
def test_every_optimizer_tells_and_none_where_there_is_a_minimum(X, y, kind, loss, make, options, dtype):
    X, y = np.array(X, dtype=dtype), np.array(y, dtype=dtype)
    objective = st.Logistic(X, y) if loss == "logistic" else st.Softmax(X, y)
    assert oracle(X, y, 2, True) == kind
    result = run(objective, make, options)
    if kind:
        assert result.stop_reason in ("separable", "max_epochs")
        assert not result.converged
        assert f"the classes are {'separable' if kind == 'all' else 'quasi-separable'}:" in result.diagnosis
    else:
        assert result.stop_reason != "separable"
        assert "separable" not in result.diagnosis


@pytest.mark.parametrize("optimizer", ["auto", "quasi-newton", "gradient-descent", "momentum", "nesterov", "adam"])
@pytest.mark.parametrize(
    ("X", "y", "kind"), [([0, 1, 2, 3], [0, 0, 1, 1], "separable"), ([0, 0, 0, 1, 1], [0, 1, 0, 1, 1], "quasi-sep")]
)
def test_classifiers_tell_it(X, y, kind, optimizer):
    model = st.LogisticClassifier(optimizer, alpha=0)
    with pytest.warns(ConvergenceWarning, match=f"the classes are {kind}.*set alpha above 0"):
        model.fit(np.array(X, dtype=float)[:, None], y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        st.LogisticClassifier("quasi-newton", alpha=1e-3).fit(np.array(X, dtype=float)[:, None], y)


@given(problems(), strategy.sampled_from([np.float32, np.float64]), strategy.sampled_from(["quasi-newton", "momentum"]))
def test_runs_of_any_problem(problem, dtype, optimizer):
    X, y, k, intercept, weight = problem
    weight = None if weight is None else weight.astype(dtype)
    kind = oracle(X, y, k, intercept, weight)
    make, options = OPTIMIZERS[optimizer]
    result = run(objective_of(X, y, k, intercept, dtype, sample_weight=weight), make, options)
    if kind == "":
        assert "separable" not in result.diagnosis
    elif result.converged:
        raise AssertionError(f"converged where the classes are separable: {kind}")


def many(n=3000, d=8, seed=0):
    random = np.random.default_rng(seed)
    X = random.standard_normal((n, d))
    z = 6 * X @ random.standard_normal(d)
    return X, (z > random.logistic(size=n)).astype(float), random


def test_large_margins_are_no_separation():
    X, y, _ = many()
    result = st.minimize(st.Logistic(X, y))
    assert np.abs(X @ result.w[:-1]).max() > 20
    assert (result.stop_reason, result.converged) == ("precision", True)
    assert separation(st.Logistic(X, y), result.w, result.value) == oracle(X[:300], y[:300], 2, True) == ""


@pytest.mark.parametrize("level", [1, 30])
@pytest.mark.parametrize("wide", [0, 250])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_level_with_one_class_among_many_rows(dtype, wide, level):
    X, y, random = many(2000)
    X /= 6
    y = (X[:, 0] > random.logistic(size=len(y))).astype(float)
    rare = np.zeros(len(X))
    rare[:level] = 1.0
    y[:level] = 1.0
    X = np.column_stack([X, rare, 0.3 * random.standard_normal((len(X), wide))]).astype(dtype)
    with pytest.warns(st.DiagnosisWarning, match="quasi-separable"):
        result = st.minimize(st.Logistic(X, y.astype(dtype)))
    assert (result.stop_reason, result.converged) == ("separable", False)
    weight = 1.0 - rare
    kept = st.minimize(st.Logistic(X, y.astype(dtype), sample_weight=weight.astype(dtype)))
    assert kept.stop_reason != "separable"  # the rows of the level are absent, and its column 0


@pytest.mark.parametrize("k", [2, 3])
def test_offsets_that_classify_every_row_prove_no_overlap(k):
    """At zeros, the offsets' probabilities of wrong classes are 1e-9, and those without offsets are a half or more."""
    X = np.random.default_rng(0).standard_normal((90, 2))
    y = np.digitize(X[:, 0], [0.0] if k == 2 else [-0.5, 0.5])
    offset = np.where(y == 1, 20.0, -20.0) if k == 2 else 20.0 * np.eye(k)[y]
    objective = objective_of(X, y, k, True, offset=offset)
    w = np.zeros(objective.n_parameters)
    assert separation(objective, w, objective.value(w)) == "all"
    y[:20] = (y[:20] + 1) % k  # rows of wrong classes make a minimum
    objective = objective_of(X, y, k, True, offset=offset)
    assert separation(objective, w, objective.value(w)) == ""


def test_a_penalty_makes_a_minimum():
    X, y = np.arange(4.0)[:, None], np.array([0, 0, 1, 1.0])
    assert st.minimize(st.Logistic(X, y, alpha=1e-8)).converged
    assert separating_loss(st.Logistic(X, y, alpha=1e-8)) == -np.inf


def test_the_budget_stays_the_reason_and_the_diagnosis_says_it():
    objective = st.Logistic(np.arange(4.0)[:, None], np.array([0, 0, 1, 1.0]))
    with pytest.warns(st.DiagnosisWarning, match="the classes are separable"):
        result = st.minimize(objective, optimizer=st.Momentum("auto"), max_epochs=300)
    assert (result.stop_reason, result.converged, result.diagnosis.kind) == ("max_epochs", False, "separable")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize(("d", "l1_ratio"), [(5, 0.0), (5, 0.5), (80, 0.5)])
def test_columns_without_a_penalty_that_separate_end_a_run(k, d, l1_ratio, dtype):
    random = np.random.default_rng(d)
    X = random.standard_normal((60, d)).astype(dtype)
    X[:, 0] *= 3.0
    y = np.digitize(X[:, 0] - X[:, 1], [0.0] if k == 2 else [-1.0, 1.0])
    factors = np.ones(d)
    factors[:2] = 0.0
    objective = objective_of(X, y, k, True, dtype, alpha=0.01, l1_ratio=l1_ratio, penalty_weight=factors)
    with pytest.warns(st.DiagnosisWarning, match="the classes are separable"):
        result = st.minimize(objective)
    assert (result.stop_reason, result.converged) == ("separable", False)


@pytest.mark.parametrize("k", [2, 3])
def test_columns_that_separate_only_with_those_of_a_penalty_have_a_minimum(k):
    """The penalty is so weak that every row is on its side."""
    random = np.random.default_rng(0)
    X = random.standard_normal((60, 5))
    y = np.digitize(X[:, 0] - X[:, 1], [0.0] if k == 2 else [-1.0, 1.0])
    objective = objective_of(X, y, k, True, alpha=1e-9, penalty_weight=np.array([0.0, 1.0, 1.0, 1.0, 1.0]))
    result = st.minimize(objective, max_epochs=300)
    assert result.value < loss_of_a_wrong_row(objective)
    assert result.converged


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("d", [2, 30])  # by quasi-Newton steps, and by working sets
@pytest.mark.parametrize(("alpha", "l1_ratio"), [(0.0, 0.0), (0.1, 0.0), (0.1, 0.5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("loss", "options"), [(st.Logistic, {}), (st.Softmax, {"n_classes": 3})])
def test_a_class_without_a_row_leaves_no_minimum(loss, options, dtype, alpha, l1_ratio, d):
    rng = np.random.default_rng(0)
    X, y, weight = rng.standard_normal((20, d)).astype(dtype), np.zeros(20, dtype), np.ones(20, dtype)
    y[7], weight[7] = 1.0, 0.0  # an absent row
    if loss is st.Softmax:
        y[:5] = 2.0
    options = options | {"sample_weight": weight, "alpha": alpha, "l1_ratio": l1_ratio}
    result = st.minimize(loss(X, y, **options))
    assert not result.converged
    assert result.diagnosis.startswith("there is no minimum: a class has no row with a weight")
    if alpha > 0.0:  # no intercept falls
        assert st.minimize(loss(X, y, intercept=False, **options)).converged

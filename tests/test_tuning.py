"""`find_learning_rate`: its curve against a NumPy loop, what it leaves alone, where it ends, and its suggestions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import steepest as st
from cases import LOSSES, Problem, each_loss, each_rule
from device_arrays import on_device
from steepest import _core
from steepest.descent.arguments import seed_of


def bits(optimizer):
    state = optimizer.state_dict()
    return str(state["hyperparameters"]), state["n_steps"], [a.tobytes() for a in state["state"].values()]


def used(rule, problem):
    """An optimizer with two steps behind it."""
    optimizer = rule.make()
    st.minimize(problem.objective, problem.w0, optimizer, max_epochs=2)
    return optimizer


def standardised(X, y, loss, dtype=np.float64):
    X = X[:, X.std(axis=0) > 0]
    X = np.ascontiguousarray((X - X.mean(axis=0)) / X.std(axis=0), dtype)
    return loss(X, np.ascontiguousarray(y, dtype))


def batches(problem, batch_size, seed, n):
    """The rows of n steps."""
    rows, epoch = [], 0
    while len(rows) < n:
        order = _core.row_order(problem.n, seed_of(seed), epoch)
        rows += [order[first : first + batch_size] for first in range(0, problem.n, batch_size)]
        epoch += 1
    return rows[:n]


def batch_loss(problem, w, rows):
    """A mini-batch's loss with the weights of the loop: over the mean weight of all rows."""
    X, y, s = problem.data
    kind = LOSSES[problem.loss][0]
    each = np.array([kind(X[[i]], y[[i]], intercept=problem.intercept).value(w) for i in rows])
    alpha, l1_ratio, inner = problem.alpha, problem.l1_ratio, w * problem.penalised
    penalty = alpha * (l1_ratio * np.abs(inner).sum() + (1 - l1_ratio) / 2 * inner @ inner)
    return (s[rows] * each).sum() / (len(rows) * s.mean()) + penalty


# The curve


@each_rule
@each_loss
@pytest.mark.parametrize("batch_size", [7, 23, None])
def test_takes_the_steps_of_minimize(rule, loss, batch_size):
    problem, n = Problem(loss, weighted=True, alpha=0.2, l1_ratio=0.4), 40
    rates = np.geomspace(1e-4, 0.05, n)
    curve = st.find_learning_rate(
        problem.objective, rule.make(), w0=problem.w0, batch_size=batch_size, lowest=1e-4, highest=0.05, n_steps=n,
        random_state=3,
    )  # fmt: skip
    optimizer = rule.make(learning_rate=lambda t: rates[min(t, n - 1)])
    path = st.minimize(
        problem.objective,
        problem.w0,
        optimizer,
        batch_size=batch_size,
        max_epochs=n,
        random_state=3,
        record_path=True,
        diagnose=False,
    ).path
    chosen = batches(problem, 7, 3, n) if batch_size == 7 else [np.arange(problem.n)] * n
    expected = [batch_loss(problem, w, rows) for w, rows in zip(path, chosen, strict=False)]
    np.testing.assert_allclose(curve.learning_rates, rates, rtol=1e-15)
    np.testing.assert_allclose(curve.losses, expected, rtol=1e-9)
    assert not curve.diverged


@each_rule
def test_leaves_everything_as_it_was(rule):
    problem = Problem(alpha=0.1, l1_ratio=0.5)
    objective, w0, optimizer = problem.objective, problem.w0, used(rule, problem)
    data, before = [objective.X.tobytes(), objective.y.tobytes()], bits(optimizer)
    st.find_learning_rate(objective, optimizer, w0=w0, batch_size=7)
    assert (bits(optimizer), w0.tobytes()) == (before, problem.w0.tobytes())
    assert [objective.X.tobytes(), objective.y.tobytes()] == data


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
@pytest.mark.parametrize("at", [1, 2, 15])
def test_an_exception_passes_and_leaves_everything_as_it_was(error, at):
    calls = []

    def bowl(w):
        calls.append(w)
        if len(calls) == at:
            raise error
        return float(w @ w), 2 * w

    optimizer, w0 = st.Adam(), np.ones(2)
    optimizer.step(np.zeros(2), np.ones(2))
    before = bits(optimizer)
    with pytest.raises(error):
        st.find_learning_rate(st.Function(bowl, 2), optimizer, w0=w0)
    assert (bits(optimizer), w0.tolist(), len(calls)) == (before, [1.0, 1.0], at)


def test_a_function_that_overflows_far_away():
    """Rates at which it raises have diverged, and the search goes on."""

    def steep(w):
        if abs(w[0]) > 1e3:
            raise OverflowError
        return 50 * float(w @ w), 100 * w

    curve = st.find_learning_rate(st.Function(steep, 1), st.GradientDescent(1.0), w0=np.ones(1))
    assert 0.003 < curve.suggestion < 0.02


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@each_loss
def test_same_seed_same_curve(loss, order, dtype):
    objective = Problem(loss, n=600, dtype=dtype, order=order).objective
    curves = []
    for threads, seed in ((1, 5), (2, 5), (1, 6)):
        with st.threads(threads):
            curve = st.find_learning_rate(objective, st.Adam(), batch_size=50, random_state=seed)
        curves.append((curve.losses.tobytes(), curve.smoothed_losses.tobytes(), curve.suggestion))
    assert curves[0] == curves[1] != curves[2]


def test_float16_data():
    X, y, _ = Problem("logistic", n=300).data
    curve = st.find_learning_rate(st.Logistic(X.astype(np.float16), y.astype(np.float32)), st.Adam(), batch_size=32)
    assert 1e-4 < curve.suggestion < 10


@settings(max_examples=30)
@given(seed=some.integers(0, 10**6), scale=some.floats(-3, 1), batch_size=some.sampled_from([None, 16]))
def test_ends_at_divergence_and_suggests_less(seed, scale, batch_size):
    problem = Problem(n=80, seed=seed)
    X, y, _ = problem.data
    objective = st.LeastSquares(X * 10**scale, y)
    curve = st.find_learning_rate(
        objective, st.GradientDescent(1.0), batch_size=batch_size, lowest=1e-9, highest=1e6, random_state=seed
    )
    assert curve.diverged
    assert len(curve.learning_rates) == len(curve.losses) == len(curve.smoothed_losses) < 200
    assert np.isfinite(curve.losses).all()
    assert np.isfinite(curve.smoothed_losses).all()
    eigenvalue = np.linalg.eigvalsh(objective.hessian(np.zeros(6))).max()
    assert curve.suggestion < 2 / eigenvalue < curve.learning_rates[-1]


@settings(max_examples=20)
@given(factor=some.integers(-20, 20))
def test_a_scaled_function_has_a_scaled_rate(factor):
    """With s f for f and rates over s, steps of gradient descent are the same: exactly so for a power of 2."""
    diagonal, s = np.array([1.0, 0.1]), 2.0**factor

    def finder(s):
        function = st.Function(lambda w: (s * float(diagonal @ (w * w)) - 5 * s, 2 * s * diagonal * w), 2)
        limits = {"lowest": 2.0**-15 / s, "highest": 2.0**5 / s}
        return st.find_learning_rate(function, st.GradientDescent(1.0), w0=np.ones(2), **limits)

    assert finder(s).suggestion * s == pytest.approx(finder(1.0).suggestion, rel=1e-6)


def test_smoothed_losses_have_less_noise():
    """Where the rates are too small to move w, they are flat, whatever the batches."""
    curve = st.find_learning_rate(
        Problem(n=400).objective, st.GradientDescent(1.0), batch_size=10, lowest=1e-9, highest=1.0, random_state=0
    )
    early = curve.learning_rates < 1e-7
    assert np.ptp(curve.smoothed_losses[early]) < 1e-3 * np.ptp(curve.losses[early])


# The suggestion

RATES = {
    "GradientDescent": st.GradientDescent,
    "Momentum": st.Momentum,
    "average": lambda rate: st.Momentum(rate, velocity="average"),
    "step": lambda rate: st.Momentum(rate, velocity="step"),
    "nesterov": lambda rate: st.Momentum(rate, nesterov=True),
    "AdaGrad": st.AdaGrad,
    "RMSProp": st.RMSProp,
    "Adam": st.Adam,
}


def real(name, dtype):
    datasets = pytest.importorskip("sklearn.datasets")
    if name == "diabetes":
        X, y = datasets.load_diabetes(return_X_y=True)
        return standardised(X, (y - y.mean()) / y.std(), st.LeastSquares, dtype)
    if name == "breast_cancer":
        return standardised(*datasets.load_breast_cancer(return_X_y=True), st.Logistic, dtype)
    X, y = datasets.load_digits(return_X_y=True)
    two = (y == 3) | (y == 8)
    return standardised(X[two], y[two] == 3, st.Logistic, dtype)


@pytest.mark.parametrize("name", ["breast_cancer", "diabetes", "digits"])
@pytest.mark.parametrize("make", RATES.values(), ids=RATES)
@pytest.mark.parametrize(("batch_size", "epochs", "dtype"), [(32, 10, np.float32), (None, 100, np.float64)])
def test_the_suggestion_comes_near_the_best_rate(name, make, batch_size, epochs, dtype):
    objective = real(name, dtype)
    curve = st.find_learning_rate(objective, make(1.0), batch_size=batch_size, random_state=1)
    rates = (curve.suggestion, *np.geomspace(1e-5, 30, 14))
    options = {"batch_size": batch_size, "max_epochs": epochs, "evaluate_every": epochs, "random_state": 0}
    search = st.grid_search(objective, make(1.0), rates, **options)
    ours, start = search.results[0], search.results[0].history["loss"][0]
    assert ours.stop_reason == "max_epochs"
    assert start - ours.value > 0.75 * (start - search.best.value)


# Errors


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"objective": st.LeastSquares}, TypeError, "objective must be a LeastSquares, .*got"),
        ({"optimizer": st.Adam}, TypeError, "optimizer must be an optimizer such as"),
        ({"w0": np.zeros(3)}, ValueError, r"w0 must be .* of shape \(6,\).* got float64 of shape \(3,\)"),
        ({"w0": np.full(6, np.nan)}, ValueError, "w0 must be finite, got nan at index 0"),
        ({"batch_size": 0}, ValueError, "batch_size must be an integer of at least 1, got 0"),
        ({"lowest": 0.0}, ValueError, "lowest must be a finite number above 0, got 0.0"),
        ({"lowest": "low"}, TypeError, "lowest must be a finite number above 0, got 'low'"),
        ({"highest": 1e-7}, ValueError, "highest must be a finite number above 1e-07, got 1e-07"),
        ({"n_steps": 9}, ValueError, "n_steps must be an integer of at least 10, got 9"),
        ({"divergence": 1.0}, ValueError, "divergence must be a finite number above 1, got 1.0"),
        ({"random_state": -1}, ValueError, "random_state must be"),
        (
            {"lowest": 1e3, "highest": 1e9},
            ValueError,
            "lowest must be a rate that lowers .* got 1000; the loss only rose",
        ),
        (
            {"lowest": 1e-300, "highest": 1e-200},
            ValueError,
            "highest must be a rate that lowers .* got 1e-200; no rate",
        ),
    ],
)
def test_errors(options, error, message):
    arguments = {"objective": Problem().objective, "optimizer": st.GradientDescent(0.1), **options}
    with pytest.raises(error, match=message):
        st.find_learning_rate(**arguments)


def test_a_function_takes_no_batch_size():
    bowl = st.Function(lambda w: (float(w @ w), 2 * w), 2)
    with pytest.raises(ValueError, match=r"batch_size=32 needs an objective with steps over .*, got Function"):
        st.find_learning_rate(bowl, st.Adam(), w0=np.ones(2), batch_size=32)
    whole, default = (
        st.find_learning_rate(bowl, st.Adam(), w0=np.ones(2), **options) for options in ({"batch_size": None}, {})
    )
    assert whole.losses.tobytes() == default.losses.tobytes()


def test_a_start_that_is_not_finite():
    with pytest.raises(ValueError, match="objective must be finite at w0, got nan"):
        st.find_learning_rate(st.Function(lambda w: (np.nan, w), 2), st.Adam())


def test_says_what_it_found():
    curve = st.find_learning_rate(Problem().objective, st.GradientDescent(0.1), random_state=0)
    assert repr(curve).startswith(f"LearningRateCurve(suggestion={curve.suggestion:.3g}, {len(curve.losses)} rates")


def test_refuses_a_cuda_device(cuda):
    X, y, _ = Problem().data
    objective = st.LeastSquares(on_device(X), on_device(y))
    with pytest.raises(
        NotImplementedError, match=r"find_learning_rate needs an objective .*copy X and y to host memory"
    ):
        st.find_learning_rate(objective, st.Adam())

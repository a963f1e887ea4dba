"""Checkpoints: a run that is broken off and resumed ends with the bits of a run that never was.

Nothing here computes a right value: the unbroken run, without a checkpoint, is the measure.
"""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from checkpoints import assert_same_bits, assert_same_result, resumed, through_a_file
from steepest.optimizers.runners import NativeRunner, StepPlan
from steepest.quasi_newton import runner as module
from steepest.quasi_newton import sampled_start
from steepest.quasi_newton.runner import QuasiNewtonRunner
from steepest.working_sets.runner import WorkingSetRunner
from test_sparse_steps import CLOSED, PENALTIES, RULES, SCHEDULES, rows_of

OPTIMIZERS = {
    "descent": lambda: st.GradientDescent(0.05),
    "auto": lambda: st.GradientDescent("auto"),
    "momentum": lambda: st.Momentum(0.02, nesterov=True),
    "auto momentum": lambda: st.Momentum("auto"),
    "average": lambda: st.Momentum(st.schedules.CosineDecay(0.05, 40), velocity="average"),
    "adagrad": lambda: st.AdaGrad(0.1),
    "rmsprop": lambda: st.RMSProp(st.schedules.LinearWarmup(st.schedules.ExponentialDecay(0.02), 7)),
    "adam": lambda: st.Adam(0.02, weight_decay=0.01),
    "lazy adam": lambda: st.LazyAdam(0.02),
}
BATCHES = {"all rows": None, "mini-batches": 7, "single rows": 1}


def table(dtype=np.float64, n=61, d=5, seed=3):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d)).astype(dtype)
    z = X @ rng.standard_normal(d)
    return X, (z + rng.standard_normal(n) > 0).astype(dtype), np.asarray(z + 0.1, dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("batches", BATCHES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_resumes_to_the_same_bits(optimizer, batches, dtype, tmp_path):
    X, y, _ = table(dtype)
    if optimizer == "lazy adam":
        sparse = pytest.importorskip("scipy.sparse")
        X = sparse.csr_array(np.where(np.abs(X) > 0.7, X, 0).astype(dtype))
        if batches == "all rows":
            pytest.skip("LazyAdam takes mini-batches")

    def make():
        options = {"batch_size": BATCHES[batches], "random_state": 4, "max_epochs": 12, "record_path": True}
        return (st.Logistic(X, y, alpha=0.01), None, OPTIMIZERS[optimizer]()), options

    arguments, options = make()
    expected = st.minimize(*arguments, **options)
    assert_same_result(resumed(make, tmp_path / "run.steepest", [1, 6, 7, 12]), expected)


def take(runner, optimizer, n):
    """Take the steps of a runner up to the n-th, with the rates of an optimizer. The epochs end on the way."""
    while runner.n_steps < n:
        runner.run(optimizer.rates(runner.n_steps, n - runner.n_steps), 60.0, None)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("rule", RULES)
def test_a_runner_resumes_within_an_epoch_of_sparse_rows(rule, penalty, schedule, dtype):
    """Whether missed steps have a closed form or not, and wherever in an epoch of 90 steps the state is taken."""
    alpha, l1_ratio = PENALTIES[penalty]
    X = rows_of(ones=penalty == "L2", dtype=dtype)
    y = (np.arange(X.shape[0]) % 3 == 0).astype(dtype)
    objective = st.Logistic(X, y, alpha=alpha, l1_ratio=l1_ratio)

    def runner(start):
        optimizer, w = RULES[rule](SCHEDULES[schedule]), np.full(objective.n_parameters, start, dtype)
        return NativeRunner(objective.native, optimizer, w, StepPlan(1, True, 5)), optimizer

    whole, optimizer = runner(0.25)
    take(whole, optimizer, 300)
    missed = "missed" in whole.state()  # whether w waits for steps that its columns missed
    assert missed == (penalty in CLOSED[rule])
    expected = whole.evaluate()
    for n in (1, 2, 41, 90, 155, 299):
        first, optimizer = runner(0.25)
        take(first, optimizer, n)
        other, optimizer = runner(np.nan)
        other.resume(through_a_file(first.state()))
        take(other, optimizer, 300)
        assert other.evaluate() == expected
        assert_same_bits(other.parameters, whole.parameters)
        for mine, given in zip(arrays_of(other), arrays_of(whole), strict=True):
            assert_same_bits(mine, given)


def arrays_of(runner):
    state = runner.state()
    return [state[name] for name in sorted(state) if name.startswith("state")]


def wide(n=120, d=400, seed=2, dtype=np.float64):
    """Dense rows of correlated columns."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 12)) @ rng.standard_normal((12, d)) + 0.1 * rng.standard_normal((n, d))
    z = X @ rng.standard_normal(d) / 20
    return X.astype(dtype), (z + rng.logistic(size=n) > 0).astype(dtype)


def frequent(n=3000, d=6000, seed=4):
    """Sparse rows whose most frequent columns are correlated."""
    sparse = pytest.importorskip("scipy.sparse")
    rng = np.random.default_rng(seed)
    columns = (d * rng.random((n, 12)) ** 4).astype(np.int32)
    columns[:, 6:] = np.minimum(columns[:, :6] + 1, d - 1)
    X = sparse.csr_array((np.ones(12 * n), columns.ravel(), 12 * np.arange(n + 1)), shape=(n, d))
    X.sum_duplicates()
    z = X @ rng.standard_normal(d)
    return X, (z + rng.logistic(size=n) > 0).astype(float)


def classes(n=900, d=5, k=4, correlation=0.0, seed=6):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = correlation * X[:, j - 1] + (1 - correlation**2) ** 0.5 * X[:, j]
    return X, np.argmax(X @ rng.standard_normal((d, k)) + rng.gumbel(size=(n, k)), axis=1).astype(float)


def far(n=300, seed=9):
    """Columns far from zero in other units, which the runner centres."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 3)) * [1, 1e4, 1e-3] + [1000, 1e7, 5]
    return X, (rng.random(n) > 0.5).astype(float)


def made_columns():
    """Little data of float32, with a column that differs from a sum of others by its rounding alone."""
    X, y, _ = table(np.float32, n=40)
    X[:, 4] = X[:, 0] + X[:, 1]
    return X, y


# The objective, and the metric that its run has at the end.
QUASI_NEWTON = {
    "little least squares": (lambda: st.LeastSquares(*table()[::2]), "DenseMetric"),
    "least squares of float32": (lambda: st.LeastSquares(*table(np.float32)[::2]), "DenseMetric"),
    "dense": (lambda: st.Logistic(*table(n=30000)[:2]), "DenseMetric"),
    "dense with L1": (lambda: st.Logistic(*table(n=3000)[:2], alpha=0.01, l1_ratio=1.0), "DenseMetric"),
    "Huber": (lambda: st.Huber(*table(n=500)[::2], delta=0.3), "DenseMetric"),
    "made columns": (lambda: st.Logistic(*made_columns()), "DenseMetric"),
    "far columns": (lambda: st.Logistic(*far()), "DenseMetric"),
    "wide": (lambda: st.Logistic(*wide(d=5000), alpha=0.01), "DiagonalMetric"),
    "wide with L1": (lambda: st.Logistic(*wide(d=5000), alpha=0.01, l1_ratio=0.5), "DiagonalMetric"),
    "wide of float32": (lambda: st.Logistic(*wide(d=5000, dtype=np.float32), alpha=0.01), "DiagonalMetric"),
    "sparse": (lambda: st.Logistic(*frequent(), alpha=1e-6), "FrequentMetric"),
    "sparse with L1": (lambda: st.Logistic(*frequent(), alpha=2e-3, l1_ratio=1.0), "ActiveMetric"),
    "softmax": (lambda: st.Softmax(*classes()), "DenseMetric"),
    "softmax of many": (lambda: st.Softmax(*classes(2000, 300, 15, 0.97), alpha=1e-6), "BlockMetric"),
}


@pytest.fixture
def all_columns():
    """Runs take all columns, also where an L1 penalty would have them take working sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(WorkingSetRunner, "takes", staticmethod(lambda objective: False))
        yield


@pytest.mark.usefixtures("all_columns")
@pytest.mark.parametrize("problem", QUASI_NEWTON)
def test_quasi_newton_resumes_to_the_same_bits(problem, tmp_path, monkeypatch):
    make_objective, kind = QUASI_NEWTON[problem]
    objective, kinds = make_objective(), []
    kind_of_history = noting(module.LBFGSHistory, kinds)
    for each in (module, sampled_start):
        monkeypatch.setattr(each, "LBFGSHistory", kind_of_history)
    options = {"max_epochs": 25, "record_path": objective.n_parameters < 100}
    expected = st.minimize(objective, optimizer=st.QuasiNewton(), **options)
    assert expected.n_epochs > 1
    assert kind in kinds
    monkeypatch.undo()

    def make():
        return (make_objective(), None, st.QuasiNewton()), options

    last = expected.n_epochs
    epochs = sorted({0, 1, 2, last // 2, last - 1, last})
    assert_same_result(resumed(make, tmp_path / "run.steepest", epochs), expected)


def noting(history, kinds):
    """The class of a history that notes the kinds of its metrics."""

    class Noting(history):
        def __init__(self, metric, factor=1.0):
            super().__init__(metric, factor)
            kinds.append(type(metric).__name__)

        def renew(self, metric):
            super().renew(metric)
            kinds.append(type(metric).__name__)

    return Noting


@pytest.mark.usefixtures("all_columns")
@pytest.mark.parametrize("problem", QUASI_NEWTON)
def test_a_runner_of_quasi_newton_that_is_resumed_at_every_step_has_the_same_state(problem):
    """All that it remembers, so that what matters in few runs alone is there too."""
    objective = QUASI_NEWTON[problem][0]()
    whole = QuasiNewtonRunner(objective, np.zeros(objective.n_parameters, objective.dtype))
    whole.evaluate()
    state = through_a_file(whole.state())
    for _ in range(25):
        parts = QuasiNewtonRunner(objective, np.zeros(objective.n_parameters, objective.dtype))
        parts.resume(state)
        for each in (whole, parts):
            each.run(np.ones(1), 1.0, None)
        state, expected = (through_a_file(each.state()) for each in (parts, whole))
        assert state.keys() == expected.keys()
        for name, value in state.items():
            same = assert_same_bits if isinstance(value, np.ndarray) else assert_same_repr
            same(value, expected[name])
        found, kept = numbers_of(parts), numbers_of(whole)
        assert found == {name: kept[name] for name in found}
        if whole.finished:
            break
    assert parts.verdict("precision") == whole.verdict("precision")
    assert state["resolved"] == (problem == "made columns")


def numbers_of(runner):
    """All its attributes that are numbers or lists of them, whether they are in its state or not.

    Some are made when they are first asked for, and of the objective alone.
    """
    return {name: each for name, each in vars(runner).items() if isinstance(each, int | float | list)}


def assert_same_repr(found, expected):
    assert repr(found) == repr(expected)


BAD = {
    "no epoch": lambda state: state.pop("epoch"),
    "no columns": lambda state: state.pop("up_to"),
    "too few columns": lambda state: state.update(up_to=state["up_to"][:-1]),
    "columns of the future": lambda state: state.update(up_to=state["up_to"] + np.uint32(1000)),
    "too many steps": lambda state: state.update(missed=2**31),
    "too few products": lambda state: state.update(steps=state["steps"][:-6]),
    "a short point": lambda state: state.update(finite_w=state["finite_w"][:3]),
    "more rows than there are": lambda state: state.update(left=91),
    "rows of no epoch": lambda state: state.update(epoch=0),
    "a text": lambda state: state.update(scale="one"),
}


@pytest.mark.parametrize("bad", BAD)
def test_a_native_state_that_does_not_fit_is_refused_and_changes_nothing(bad):
    X = rows_of()
    objective = st.Logistic(X, (np.arange(90) % 3 == 0).astype(float), alpha=0.02)
    optimizer = st.Momentum(st.schedules.InverseTimeDecay(0.1, 0.05))
    runners = []
    for _ in range(2):
        runners.append(NativeRunner(objective.native, optimizer, np.full(1201, 0.25), StepPlan(1, True, 5)))
        optimizer.reset()
        take(runners[-1], optimizer, 41)
    whole, other = runners
    state = through_a_file(whole.state())
    BAD[bad](state)
    with pytest.raises((ValueError, RuntimeError)):
        other._descent.resume(state)
    for runner in runners:
        take(runner, optimizer, 300)
    assert other.evaluate() == whole.evaluate()
    assert_same_bits(other.parameters, whole.parameters)

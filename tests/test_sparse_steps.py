"""Steps from batches of sparse rows: what the same run over the dense copy of X gives, at the cost of the entries."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import steepest as st
from steepest import _core, reference
from steepest.descent.arguments import seed_of
from steepest.optimizers.runners import NativeRunner, StepPlan

sparse = pytest.importorskip("scipy.sparse")

N, D = 90, 1200
RULES = {
    "GradientDescent": lambda rate: st.GradientDescent(rate(0.5)),
    "Momentum": lambda rate: st.Momentum(rate(0.1)),
    "Momentum average": lambda rate: st.Momentum(rate(0.5), momentum=0.7, velocity="average"),
    "Momentum step": lambda rate: st.Momentum(rate(0.1), velocity="step"),
    "Nesterov": lambda rate: st.Momentum(rate(0.1), momentum=0.8, nesterov=True),
    "AdaGrad": lambda rate: st.AdaGrad(rate(0.3)),
    "RMSProp": lambda rate: st.RMSProp(rate(0.02)),
    "Adam": lambda rate: st.Adam(rate(0.02)),
}
PENALTIES = {"none": (0.0, 0.0), "L2": (0.02, 0.0), "L1": (0.002, 1.0), "both": (0.01, 0.4)}
SCHEDULES = {
    "constant": lambda rate: rate,
    "falling": lambda rate: st.schedules.InverseTimeDecay(rate, 0.05),
    "steps": lambda rate: st.schedules.StepDecay(rate, factor=0.5, every=37),
}
# The penalties under which a rule's missed steps have a closed form.
CLOSED = {
    "GradientDescent": {"none", "L2", "L1", "both"},
    **{name: {"none", "L2", "L1"} for name in ("Momentum", "Momentum average", "Momentum step", "Nesterov")},
    "AdaGrad": {"none", "L1"},
    "RMSProp": {"none"},
    "Adam": set(),
}
TOLERANCE = {np.dtype(np.float32): 2e-5, np.dtype(np.float64): 1e-12}

each_rule = pytest.mark.parametrize("rule", RULES)
each_penalty = pytest.mark.parametrize("penalty", PENALTIES)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_schedule = pytest.mark.parametrize("schedule", SCHEDULES)


def rows_of(n=N, d=D, per_row=4, seed=0, dtype=np.float64, ones=False, tidy=False):
    """A CSR array with empty rows; unless it is tidy, in no order and with columns that come twice in a row."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 2 * per_row + 1, n)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.minimum((d * rng.random(indptr[-1]) ** 4).astype(np.int32), d - 1)
    data = np.ones(indptr[-1]) if ones else rng.standard_normal(indptr[-1])
    X = sparse.csr_array((data.astype(dtype), indices, indptr), shape=(n, d))
    if tidy:
        X.sum_duplicates()
    return X


def dense_of(X):
    dense = np.zeros(X.shape)
    np.add.at(dense, (np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices), X.data.astype(float))
    return dense


def targets_of(X, classes=2, seed=1):
    rng = np.random.default_rng(seed)
    scores = dense_of(X) @ rng.standard_normal((X.shape[1], classes)) + rng.standard_normal((X.shape[0], classes))
    return np.argmax(scores, axis=1).astype(X.dtype)


def weights_of(X, seed=2):
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.5, 2.0, X.shape[0])
    weight[rng.random(X.shape[0]) < 0.1] = 0.0
    return weight.astype(X.dtype)


def both(X, loss=st.Logistic, **options):
    """The objectives of X and of its dense copy in float64."""
    y = options.pop("y", None)
    y = targets_of(X) if y is None else y
    weight = options.pop("sample_weight", None)
    wide = None if weight is None else weight.astype(float)
    return (
        loss(X, y, sample_weight=weight, **options),
        loss(dense_of(X), y.astype(float), sample_weight=wide, **options),
    )


def run(objective, optimizer, batch_size, epochs=4, w0=None, **options):
    # without a seed for the start, all weights would be 0 and no missed step would move any
    w0 = np.random.default_rng(5).standard_normal(objective.n_parameters) / 2 if w0 is None else w0
    result = st.minimize(objective, w0.astype(objective.dtype), optimizer, batch_size=batch_size, max_epochs=epochs,
                         random_state=3, diagnose=False, **options)  # fmt: skip
    return result.w, optimizer


def assert_same(sparse_run, dense_run, dtype, tolerance=None):
    (w, own), (expected, twin) = sparse_run, dense_run
    tolerance = tolerance or TOLERANCE[np.dtype(dtype)]
    assert w.dtype == dtype
    np.testing.assert_allclose(w, expected, rtol=tolerance, atol=tolerance * np.abs(expected).max())
    assert own.n_steps == twin.n_steps
    for name, state in twin.state_dict()["state"].items():
        found = own.state_dict()["state"][name]
        np.testing.assert_allclose(found, state, rtol=10 * tolerance, atol=tolerance * np.abs(state).max())


def is_lazy(objective, optimizer, batch_size, projection=None):
    """Whether a run takes steps of the entries alone."""
    w = np.zeros(objective.n_parameters, objective.dtype)
    runner = NativeRunner(objective.native, optimizer, w, StepPlan(batch_size, projection=projection))
    return runner._descent.takes_sparse_steps


@each_dtype
@each_schedule
@each_penalty
@each_rule
@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_follows_the_run_over_the_dense_copy(rule, penalty, batch_size, schedule, dtype):
    alpha, l1_ratio = PENALTIES[penalty]
    X = rows_of(dtype=dtype, tidy=batch_size == 1 and schedule == "constant")
    own, twin = both(X, alpha=alpha, l1_ratio=l1_ratio, sample_weight=weights_of(X))
    lazy = penalty in CLOSED[rule]
    assert is_lazy(own, RULES[rule](SCHEDULES[schedule]), batch_size) == lazy
    # About 0, a rule that divides by the size of tiny gradients enlarges the rounding of float32.
    loose = dtype == np.float32 and not lazy and rule in ("RMSProp", "Adam", "AdaGrad")
    runs = (run(each, RULES[rule](SCHEDULES[schedule]), batch_size) for each in (own, twin))
    assert_same(*runs, dtype, 5e-3 if loose else None)


@each_dtype
@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize(("rule", "penalty"), [(rule, penalty) for rule in CLOSED for penalty in sorted(CLOSED[rule])])
def test_several_scores(rule, penalty, batch_size, dtype):
    alpha, l1_ratio = PENALTIES[penalty]
    X = rows_of(dtype=dtype)
    own, twin = both(X, st.Softmax, y=targets_of(X, 3), alpha=alpha, l1_ratio=l1_ratio, sample_weight=weights_of(X))
    assert is_lazy(own, RULES[rule](SCHEDULES["falling"]), batch_size)
    assert_same(*(run(each, RULES[rule](SCHEDULES["falling"]), batch_size) for each in (own, twin)), dtype)


@pytest.mark.parametrize("loss", [st.LeastSquares, st.Huber, st.Poisson])
@pytest.mark.parametrize("intercept", [True, False])
def test_other_losses(loss, intercept):
    X = rows_of(tidy=True)
    X.data /= 8
    own, twin = both(X, loss, intercept=intercept, alpha=0.02, l1_ratio=0.5)
    runs = [run(each, st.GradientDescent(0.02), 1) for each in (own, twin)]
    assert_same(*runs, np.float64)


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_dtype
@pytest.mark.parametrize(("rule", "penalty"), [(rule, penalty) for rule in CLOSED for penalty in sorted(CLOSED[rule])])
def test_every_level(isa, rule, penalty, dtype):
    alpha, l1_ratio = PENALTIES[penalty]
    X = rows_of(n=30, per_row=12, dtype=dtype)
    own, twin = both(X, alpha=alpha, l1_ratio=l1_ratio)
    for batch_size in (1, 5):
        assert is_lazy(own, RULES[rule](SCHEDULES["constant"]), batch_size)
        assert_same(*(run(each, RULES[rule](SCHEDULES["constant"]), batch_size) for each in (own, twin)), dtype)


@pytest.mark.parametrize("change", [
    {"indices": np.int64}, {"indptr": np.int64}, {"indices": np.int64, "indptr": np.int64}, {"ones": True},
    {"ones": True, "indices": np.int64}, {"data": np.float16}, {"data": np.float16, "indices": np.int64},
], ids=str)  # fmt: skip
def test_all_kinds_of_arrays(change):
    X = rows_of(dtype=np.float32, ones=change.get("ones", False))
    X.data = X.data.astype(np.float16).astype(np.float32)
    y, members = targets_of(X), {"data": X.data, "indices": X.indices, "indptr": X.indptr}
    for name in members.keys() & change.keys():
        members[name] = members[name].astype(change[name])
    stored = SimpleNamespace(**members, shape=X.shape)
    own, twin = st.Logistic(stored, y, alpha=0.02), st.Logistic(dense_of(X), y.astype(float), alpha=0.02)
    for batch_size in (1, 7):
        assert is_lazy(own, st.Momentum(0.1), batch_size)
        assert_same(*(run(each, st.Momentum(0.1), batch_size) for each in (own, twin)), np.float32)


def test_same_bits_for_any_number_of_threads():
    X = rows_of(n=400, d=70_000, per_row=30)
    objective = st.Logistic(X, targets_of(X, seed=3), alpha=1e-3)
    for rule in ("GradientDescent", "Momentum"):
        found = []
        for n in (1, 2, 3):
            with st.threads(n):
                found.append(run(objective, RULES[rule](SCHEDULES["falling"]), 16)[0])
        np.testing.assert_array_equal(found[0], found[1])
        np.testing.assert_array_equal(found[0], found[2])


def test_many_steps_between_evaluations():
    """More steps than are counted at once (65,536), at two rates, and a run that goes on where another ended."""
    X = rows_of(n=70_000, d=64, per_row=1, tidy=True)
    X.data /= 4
    for rule, penalty in (
        ("GradientDescent", {"alpha": 1e-4}),
        ("GradientDescent", {"alpha": 1e-4, "l1_ratio": 0.5}),
        ("Momentum", {"alpha": 1e-4}),
        ("Momentum", {"alpha": 1e-5, "l1_ratio": 1.0}),
        ("Momentum step", {"alpha": 1e-5, "l1_ratio": 1.0}),
        ("AdaGrad", {"alpha": 1e-6, "l1_ratio": 1.0}),
        ("RMSProp", {}),
    ):
        own, twin = both(X, **penalty)
        schedule = lambda rate: st.schedules.StepDecay(rate / 10, factor=0.5, every=69_000)  # noqa: E731
        optimizers = RULES[rule](schedule), RULES[rule](schedule)
        assert is_lazy(own, optimizers[0], 1)
        first = [run(*each, 1, epochs=1) for each in zip((own, twin), optimizers, strict=True)]
        assert_same(*first, np.float64, 1e-10)
        again = [run(*each, 1, epochs=1, w0=first[0][0]) for each in zip((own, twin), optimizers, strict=True)]
        assert_same(*again, np.float64, 1e-10)


@pytest.mark.parametrize("rate", [25.0, 50.0, 60.0, 1e9])
def test_steps_that_turn_the_sign_or_take_all_of_w(rate):
    """With L2 = 0.04, w is multiplied by 1 - 0.04 rate in a step: 0 at 25, -1 at 50, and it grows beyond."""
    X = rows_of(n=12)
    X.data /= 100
    for l1_ratio in (0.0, 0.2):
        own, twin = both(X, alpha=0.04 / (1 - l1_ratio), l1_ratio=l1_ratio)
        runs = [run(each, st.GradientDescent(rate), 1, epochs=1) for each in (own, twin)]
        assert_same(*runs, np.float64, 1e-10)


def test_a_path_has_all_parameters():
    X = rows_of()
    for make in (lambda: st.Momentum(0.1), lambda: st.GradientDescent(0.5)):
        own, twin = both(X, alpha=0.02)
        paths = [
            st.minimize(each, optimizer=make(), batch_size=7, max_epochs=2, random_state=1, record_path=True,
                        diagnose=False).path
            for each in (own, twin)
        ]  # fmt: skip
        np.testing.assert_allclose(*paths, rtol=1e-12, atol=1e-14)


def test_a_constraint_takes_steps_of_all_parameters():
    X = rows_of()
    own, twin = both(X)
    box = st.Box(-0.05, 0.05)
    runs = [run(each, st.GradientDescent(0.5), 7, constraint=box, w0=np.zeros(D + 1)) for each in (own, twin)]
    assert_same(*runs, np.float64)


def test_callbacks_see_all_parameters():
    X, seen = rows_of(), []
    objective = st.Logistic(X, targets_of(X), alpha=0.01)
    run(objective, st.Momentum(0.1), 1, epochs=3, callbacks=[lambda progress: seen.append(progress.w.copy())])
    assert len(seen) == 4
    for epochs, w in enumerate(seen):
        np.testing.assert_array_equal(w, run(objective, st.Momentum(0.1), 1, epochs=epochs)[0])


def test_parameters_are_up_to_date_after_fetch():
    """A run that seconds or Ctrl-C end within an epoch fetches them: column 1199 shrinks by 0.99 in each step."""
    X = rows_of(n=3000)
    X.indices[X.indices == 1199] = 0
    objective = st.Logistic(X, np.zeros(3000), alpha=0.1)
    w = np.ones(D + 1)
    runner = NativeRunner(objective.native, st.GradientDescent(0.1), w, StepPlan(1, True, 0))
    taken = runner.run(np.full(5000, 0.1), 0.0, None).taken
    assert 0 < taken < 3000
    assert w[1199] == 1.0
    runner.fetch()
    assert w[1199] == pytest.approx(0.99**taken, rel=1e-12)


def test_a_run_that_diverges_goes_back():
    X = rows_of()
    X.data[200] = 1e200
    objective = st.LeastSquares(X, targets_of(X))
    w0 = np.random.default_rng(0).standard_normal(D + 1)
    w0[X.indices[200]] = 0.0
    result = st.minimize(objective, w0, st.GradientDescent(1e-3), batch_size=1, max_epochs=2, diagnose=False,
                         shuffle=False)  # fmt: skip
    assert result.stop_reason == "diverged"
    np.testing.assert_array_equal(result.w, w0)


@pytest.mark.parametrize("make", [lambda: st.GradientDescent(0.1), lambda: st.Momentum(0.1), lambda: st.LazyAdam(0.1)])
@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_row_of_weight_0_is_absent(make, batch_size):
    X, weight = rows_of(), np.ones(N)
    y, weight[::9] = targets_of(X), 0.0
    found = []
    for value in (1.0, 1e300, np.inf, np.nan):
        Y = X.copy()
        Y.data[np.repeat(weight == 0, np.diff(X.indptr))] = value
        optimizer, w = make(), np.ones(D + 1)
        objective = st.Logistic(Y, y, sample_weight=weight)
        runner = NativeRunner(objective.native, optimizer, w, StepPlan(batch_size, True, 0))
        assert runner.run(np.full(N, 0.1), 60.0, None).epoch_ended
        runner.fetch()
        found.append(w)
        np.testing.assert_array_equal(w, found[0])
    assert np.isfinite(found[0]).all()


@settings(max_examples=80, deadline=None)
@given(
    some.integers(1, 30), some.integers(200, 400), some.integers(0, 3), some.integers(0, 10**6), some.booleans(),
    some.sampled_from([(rule, penalty) for rule in CLOSED for penalty in sorted(CLOSED[rule])]),
    some.integers(1, 9), some.sampled_from(sorted(SCHEDULES)),
)  # fmt: skip
def test_any_sparsity(n, d, per_row, seed, ones, case, batch_size, schedule):
    alpha, l1_ratio = PENALTIES[case[1]]
    X = rows_of(n, d, per_row, seed, ones=ones)
    own, twin = both(X, alpha=alpha, l1_ratio=l1_ratio)
    make = RULES[case[0]]
    assert_same(*(run(each, make(SCHEDULES[schedule]), batch_size) for each in (own, twin)), np.float64, 1e-11)


def test_most_columns_in_a_batch_make_a_step_of_all_cheaper():
    X = rows_of(n=60, d=100, per_row=20)
    own, twin = both(X, alpha=0.02)
    assert not is_lazy(own, st.GradientDescent(0.1), 32)
    assert_same(*(run(each, st.GradientDescent(0.1), 32) for each in (own, twin)), np.float64)


@pytest.mark.parametrize(("optimizer", "penalty", "told"), [
    (st.Adam(), "none", "each step cost all 1,201 parameters, though a batch of sparse rows has about 29 entries: Adam "
                        "moves every parameter in every step; LazyAdam, AdaGrad and GradientDescent do not"),
    (st.AdaGrad(), "L2", "AdaGrad has no cheaper step with an L2 penalty; GradientDescent has, with any penalty"),
    (st.RMSProp(), "both", "RMSProp has no cheaper step with an L1 and L2 penalty; GradientDescent has"),
    (st.Momentum(0.1), "both", "Momentum has no cheaper step with an L1 and L2 penalty; GradientDescent has"),
    (st.Momentum(0.1), "L1", ""),
    (st.AdaGrad(), "none", ""),
    (st.LazyAdam(), "both", ""),
    (st.GradientDescent(0.1), "both", ""),
], ids=str)  # fmt: skip
def test_the_diagnosis_says_what_steps_of_all_parameters_cost(optimizer, penalty, told):
    alpha, l1_ratio = PENALTIES[penalty]
    own, twin = both(rows_of(), alpha=alpha, l1_ratio=l1_ratio)
    options = {"optimizer": optimizer, "batch_size": 7, "max_epochs": 2, "random_state": 0}
    diagnosis = st.minimize(own, **options).diagnosis
    assert told in diagnosis
    assert ("each step cost" in diagnosis) == bool(told)
    optimizer.reset()
    assert "each step cost" not in st.minimize(twin, **options).diagnosis


# LazyAdam


def lazy_adam_path(X, y, weight, w0, batch_size, epochs, alpha=0.0, l1_ratio=0.0, **numbers):
    """The reference's rule, in a NumPy loop: the columns that rows of a batch store take part, and the intercept."""
    dense, w, state, t = dense_of(X), w0.astype(float), {}, 0
    stored = np.zeros(X.shape, bool)
    stored[np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices] = True
    penalised = np.append(np.ones(X.shape[1]), 0.0)
    for epoch in range(epochs):
        order = _core.row_order(len(y), seed_of(3), epoch)
        for first in range(0, len(y), batch_size):
            rows = order[first : first + batch_size]
            t += 1
            _, g = reference.logistic(dense[rows], y[rows].astype(float), w, sample_weight=weight[rows].astype(float))
            g = g * weight[rows].mean(dtype=float) / weight.mean(dtype=float) + alpha * (1 - l1_ratio) * penalised * w
            touched = np.append(stored[rows].any(axis=0), True)
            l1 = alpha * l1_ratio * penalised
            w, state = reference.lazy_adam(w, g, state, t, l1=l1, touched=touched, **numbers)
    return w, state


@each_dtype
@each_penalty
@pytest.mark.parametrize("batch_size", [1, 7, 45])
@pytest.mark.parametrize("numbers", [{}, {"beta1": 0.5, "weight_decay": 0.1}, {"bias_correction": False}], ids=str)
def test_lazy_adam_follows_its_reference(numbers, batch_size, penalty, dtype):
    alpha, l1_ratio = PENALTIES[penalty]
    X = rows_of(dtype=dtype, tidy=batch_size == 1)
    X.data[::5] = 0.0  # stored zeros count
    y, weight = targets_of(X), np.random.default_rng(2).uniform(0.5, 2.0, N).astype(dtype)
    w0 = np.random.default_rng(5).standard_normal(D + 1) / 2
    objective = st.Logistic(X, y, sample_weight=weight, alpha=alpha, l1_ratio=l1_ratio)
    assert is_lazy(objective, st.LazyAdam(0.02), batch_size)
    w, optimizer = run(objective, st.LazyAdam(0.02, **numbers), batch_size)
    expected, state = lazy_adam_path(X, y, weight, w0, batch_size, 4, alpha, l1_ratio, learning_rate=0.02, **numbers)
    tolerance = 2e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(w, expected, rtol=tolerance, atol=tolerance)
    own = optimizer.state_dict()["state"]
    np.testing.assert_allclose(own["average"], state["mean"], rtol=10 * tolerance, atol=tolerance)
    np.testing.assert_allclose(own["square_average"], state["squares"], rtol=10 * tolerance, atol=tolerance)


def test_lazy_adam_leaves_other_columns_alone():
    X = rows_of()
    w0 = np.random.default_rng(0).standard_normal(D + 1)
    w, optimizer = run(st.Logistic(X, targets_of(X), alpha=0.1), st.LazyAdam(0.1), 7, w0=w0)
    absent = np.setdiff1d(np.arange(D), X.indices)
    assert len(absent) > D / 2
    np.testing.assert_array_equal(w[absent], w0[absent])
    assert not optimizer.state_dict()["state"]["square_average"][absent].any()


def test_lazy_adam_is_adam_where_nothing_is_skipped():
    X = rows_of(n=40, d=30, per_row=5)
    dense, y = dense_of(X), targets_of(X)
    dense[:, 3] = 0.0
    for data, options in (
        (dense, {"batch_size": 7}),
        (dense, {}),
        (X, {}),
    ):
        runs = [
            st.minimize(st.Logistic(data, y, alpha=0.01), optimizer=make(0.02), max_epochs=5, random_state=3,
                        diagnose=False, **options).w
            for make in (st.LazyAdam, st.Adam)
        ]  # fmt: skip
        np.testing.assert_array_equal(*runs)


def test_lazy_adam_with_a_path_and_a_constraint_skips_too():
    X = rows_of()
    objective, w0 = st.Logistic(X, targets_of(X)), np.zeros(D + 1)
    options = {"batch_size": 7, "max_epochs": 2, "random_state": 3, "diagnose": False}
    plain = st.minimize(objective, w0, st.LazyAdam(0.1), **options)
    path = st.minimize(objective, w0, st.LazyAdam(0.1), record_path=True, **options).path
    np.testing.assert_array_equal(path[-1], plain.w)
    box = st.minimize(objective, w0, st.LazyAdam(0.1), constraint=st.Box(-0.05, 0.05), **options)
    assert np.abs(box.w[:-1]).max() == np.abs(plain.w).clip(max=0.05)[:-1].max() == 0.05
    assert not box.w[np.setdiff1d(np.arange(D), X.indices)].any()

"""Checkpoints of `minimize`: raised limits, breaks within an epoch, rules, callbacks, and every kind of run."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import steepest as st
from checkpoints import BrokenOffError, assert_same_bits, assert_same_result, broken_off, resumed, through_a_file
from steepest.descent import checkpoints as module
from steepest.descent import run as run_module
from steepest.descent.auto_rate import AutoRate
from test_checkpoint import table
from test_sparse_steps import rows_of

X, Y, Z = table()


def logistic(**options):
    return st.Logistic(X, Y, **{"alpha": 0.01, **options})


def sparse_rows():
    rows = rows_of()
    return st.Logistic(rows, (np.arange(rows.shape[0]) % 3 == 0).astype(float), alpha=0.001)


def test_a_finished_run_returns_its_result_and_takes_no_step(tmp_path):
    path, calls = tmp_path / "run", []
    options = {"batch_size": 8, "random_state": 0, "max_epochs": 5, "checkpoint": path}
    expected = st.minimize(logistic(), optimizer=st.Adam(0.1), **options)
    before = path.read_bytes()
    found = st.minimize(logistic(), optimizer=st.Adam(0.1), **options, callbacks=calls.append)
    assert_same_result(found, expected)
    assert_same_bits(found.history["seconds"], expected.history["seconds"])
    assert calls == []
    assert path.read_bytes() == before


@pytest.mark.parametrize("evaluate_every", [1, 3])
@pytest.mark.parametrize("problem", [logistic, sparse_rows])
def test_more_epochs_go_on_as_if_there_had_never_been_fewer(problem, evaluate_every, tmp_path):
    """A run of 7 epochs is evaluated at its end, where one of 20 is not if it is evaluated every third epoch."""

    def run(epochs, **options):
        return st.minimize(
            problem(),
            optimizer=st.Momentum(0.05),
            batch_size=1,
            random_state=3,
            evaluate_every=evaluate_every,
            stop=[st.stop.LossChange(1e-9)],
            max_epochs=epochs,
            record_path=problem is logistic,
            **options,
        )

    for epochs in (0, 7, 8, 9, 20):
        assert_same_result(run(epochs, checkpoint=tmp_path / "run"), run(epochs))


def test_fewer_epochs_than_were_taken_are_an_error(tmp_path):
    st.minimize(logistic(), optimizer=st.Adam(), max_epochs=9, checkpoint=tmp_path / "run")
    with pytest.raises(ValueError, match="max_epochs must be at least the 9 epochs of the run in checkpoint, got 8"):
        st.minimize(logistic(), optimizer=st.Adam(), max_epochs=8, checkpoint=tmp_path / "run")


def test_seconds_add_up(tmp_path, monkeypatch):
    """The clock of the second process is behind that of the first one."""
    now = [1e6]
    for each in (module, run_module):
        monkeypatch.setattr(each.time, "perf_counter", lambda: now[0])

    def callback(progress):
        now[0] += 2.0
        if progress.epoch == 3 and now[0] > 1e5:
            raise BrokenOffError

    options = {"optimizer": st.Adam(), "checkpoint": tmp_path / "run", "checkpoint_seconds": 0, "diagnose": False}
    with pytest.raises(BrokenOffError):
        st.minimize(logistic(), **options, callbacks=callback)
    now[0] = 50.0
    found = st.minimize(logistic(), **options, callbacks=callback, max_seconds=11.0)
    assert found.stop_reason == "max_seconds"
    assert found.history["seconds"].tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    found = st.minimize(logistic(), **options, callbacks=callback, max_epochs=8)
    assert found.history["seconds"][:6].tolist() == [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    assert found.n_epochs == 8


class Slices:
    """A run whose epochs are cut in slices, and which ends at a slice."""

    def __init__(self, monkeypatch, steps, last=None):
        monkeypatch.setattr(run_module, "_BLOCK_STEPS", steps)
        self.left = last
        own = module.Checkpoints.write
        monkeypatch.setattr(module.Checkpoints, "write", lambda *arguments: self.write(own, *arguments))

    def write(self, own, *arguments):
        own(*arguments)
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise BrokenOffError


@pytest.mark.parametrize("batch_size", [None, 8])
def test_the_optimizer_holds_the_state_of_the_whole_run(batch_size, tmp_path):
    options = {"batch_size": batch_size, "random_state": 0, "max_epochs": 5}
    expected, first, second = (st.Adam(0.1) for _ in range(3))
    st.minimize(logistic(), None, expected, **options)
    with pytest.raises(BrokenOffError):
        st.minimize(logistic(), None, first, **options, checkpoint=tmp_path / "run", checkpoint_seconds=0,
                    callbacks=broken_off(3))  # fmt: skip
    for _ in range(2):  # on the way, and at its end
        st.minimize(logistic(), None, second, **options, checkpoint=tmp_path / "run")
        assert second.n_steps == expected.n_steps
        for name, array in expected.state_dict()["state"].items():
            assert_same_bits(second.state_dict()["state"][name], array)


@pytest.mark.parametrize("rates", ["constant", "auto"])
@pytest.mark.parametrize("problem", [logistic, sparse_rows])
def test_a_run_goes_on_within_an_epoch(problem, rates, tmp_path, monkeypatch):
    def run(**options):
        rule = st.Momentum(0.05 if rates == "constant" else "auto")
        own = {"batch_size": 1, "random_state": 3, "max_epochs": 3, "evaluate_every": 2, "record_path": True}
        own["record_path"] = problem is logistic
        return st.minimize(problem(), optimizer=rule, **own, **options)

    expected = run()
    for last in (1, 2, 3, 4, 6, 9, 11):
        path = tmp_path / f"{last}"
        with monkeypatch.context() as patch:
            Slices(patch, 17, last)
            with pytest.raises(BrokenOffError):
                run(checkpoint=path, checkpoint_seconds=0)
        with monkeypatch.context() as patch:
            Slices(patch, 23)
            assert_same_result(run(checkpoint=path, checkpoint_seconds=0), expected)


def test_a_run_that_ran_out_of_seconds_within_an_epoch_goes_on_there(tmp_path, monkeypatch):
    """It was evaluated there, which brings all parameters up to date, and the longer run is not."""
    now = [0.0]
    for each in (module, run_module):
        monkeypatch.setattr(each.time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(run_module, "_BLOCK_STEPS", 20)

    def run(**options):
        now[0] = 0.0
        rule = st.Momentum(st.schedules.InverseTimeDecay(0.05, 0.01))
        own_rates = rule.rates

        def rates(first, n):
            now[0] += 1.0
            return own_rates(first, n)

        rule.rates = rates
        return st.minimize(sparse_rows(), None, rule, batch_size=1, random_state=3, max_epochs=4, **options)

    expected = run()
    part = run(checkpoint=tmp_path / "run", max_seconds=7.5)
    assert part.stop_reason == "max_seconds"
    assert part.n_steps % 90
    assert_same_result(run(checkpoint=tmp_path / "run"), expected)


class Patient(st.stop.StopRule):
    """A user's rule that remembers."""

    def __init__(self, most):
        self.most, self.seen = most, []

    def reset(self):
        self.seen = []

    def state(self):
        return {"seen": np.array(self.seen), "count": np.int64(len(self.seen))}

    def resume(self, state):
        self.seen = state["seen"].tolist()
        assert len(self.seen) == state["count"]

    def __call__(self, progress):
        self.seen.append(progress.loss)
        return len(self.seen) > self.most


STOPS = {
    "GradientNorm": lambda: [st.stop.GradientNorm(0.03)],
    "LossChange": lambda: [st.stop.LossChange(2e-4)],
    "ParameterChange": lambda: [st.stop.ParameterChange(0.02)],
    "NoImprovement": lambda: [st.stop.NoImprovement(4)],
    "Patient": lambda: [Patient(13)],
    "two": lambda: [st.stop.GradientNorm(1e-9), Patient(11)],
}


@pytest.mark.parametrize("stop", STOPS)
def test_stopping_rules_remember(stop, tmp_path):
    def make():
        options = {"stop": STOPS[stop](), "max_epochs": 300, "validation": (X[::-1] + 0.3, Y)}
        return (logistic(), np.full(6, 0.5), st.Momentum(0.05)), options

    arguments, options = make()
    expected = st.minimize(*arguments, **options)
    assert expected.stop_reason == type(options["stop"][-1]).__name__
    epochs = sorted({2, expected.n_epochs // 2, expected.n_epochs - 1, expected.n_epochs})
    assert_same_result(resumed(make, tmp_path / "run", epochs), expected)
    arguments, options = make()
    assert_same_result(st.minimize(*arguments, **options, checkpoint=tmp_path / "run"), expected)


@pytest.mark.parametrize(
    ("loose", "tight"),
    [
        (lambda: st.stop.GradientNorm(0.1), lambda: st.stop.GradientNorm(0.01)),
        (lambda: st.stop.LossChange(1e-3), lambda: st.stop.LossChange(1e-5)),
        (lambda: st.stop.ParameterChange(0.05), lambda: st.stop.ParameterChange(0.004)),
        (lambda: st.stop.NoImprovement(2), lambda: st.stop.NoImprovement(9)),
        (lambda: Patient(5), lambda: Patient(8)),
        (lambda: Patient(5), lambda: Patient(5)),
    ],
)
def test_rules_that_allow_more_let_a_finished_run_go_on(loose, tight, tmp_path):
    def run(rule, **options):
        start = np.full(6, 0.5)
        own = {"stop": rule, "max_epochs": 400, "validation": (X[::-1] + 0.3, Y)}
        return st.minimize(logistic(), start, st.Momentum(0.05), **own, **options)

    first = run(loose(), checkpoint=tmp_path / "run")
    assert first.stop_reason == type(loose()).__name__
    assert_same_result(first, run(loose()))
    assert_same_result(run(tight(), checkpoint=tmp_path / "run"), run(tight()))


def test_a_callback_that_ended_a_run_is_asked_again(tmp_path):
    def run(epoch, **options):
        return st.minimize(
            logistic(), optimizer=st.Adam(0.1), max_epochs=9, callbacks=lambda each: each.epoch >= epoch, **options
        )

    for epoch in (3, 3, 6, 20):
        assert_same_result(run(epoch, checkpoint=tmp_path / "run"), run(epoch))


def test_a_resumed_run_tells_callbacks_the_same(tmp_path):
    def run(heard, last=None, **options):
        def callback(progress):
            if progress.epoch == last:
                raise BrokenOffError
            heard.append((progress.epoch, progress.n_steps, progress.loss, progress.parameter_change, *progress.w))

        st.minimize(logistic(), optimizer=st.Adam(0.1), max_epochs=9, callbacks=callback, **options)

    unbroken, heard = [], []
    run(unbroken)
    with pytest.raises(BrokenOffError):
        run(heard, 4, checkpoint=tmp_path / "run", checkpoint_seconds=0)
    run(heard, checkpoint=tmp_path / "run", checkpoint_seconds=0)
    assert heard == unbroken


@pytest.mark.parametrize("constraint", [st.Box(-0.1, np.full(5, 0.2)), st.Simplex(2.0)])
@pytest.mark.parametrize("batch_size", [None, 9])
def test_constraints(constraint, batch_size, tmp_path):
    def make():
        options = {"constraint": constraint, "batch_size": batch_size, "random_state": 1, "max_epochs": 12}
        return (logistic(), None, st.Momentum("auto")), options

    arguments, options = make()
    assert_same_result(resumed(make, tmp_path / "run", [3, 8]), st.minimize(*arguments, **options))


def bowl(w):
    return float((w**4).sum() + w[0] * w[1]), 4 * w**3 + [w[1], w[0], 0.0]


class Own(st.Logistic):
    """A loss of data whose steps a loop in Python takes."""

    def value_and_gradient(self, w):
        value, gradient = super().value_and_gradient(w)
        return 2 * value, 2 * gradient


@pytest.mark.parametrize("optimizer", [lambda: st.Momentum("auto"), lambda: st.Adam(0.05), lambda: st.AdaGrad(0.3)])
@pytest.mark.parametrize("kind", ["Function", "float32", "Own"])
def test_runs_in_python(kind, optimizer, tmp_path):
    def make():
        if kind == "Own":
            return (Own(X, Y), None, optimizer()), {"max_epochs": 30}
        dtype = np.float32 if kind == "float32" else np.float64
        function = st.Function(lambda w: bowl(w), 3, dtype=dtype)
        return (function, np.ones(3, dtype), optimizer()), {"max_epochs": 30, "record_path": True}

    arguments, options = make()
    assert_same_result(resumed(make, tmp_path / "run", [1, 5, 17, 30]), st.minimize(*arguments, **options))


def test_a_run_that_diverged_stays_so(tmp_path):
    def make():
        return (logistic(alpha=1.0), np.ones(6), st.GradientDescent(1e3)), {"max_epochs": 400, "diagnose": False}

    arguments, options = make()
    expected = st.minimize(*arguments, **options)
    assert expected.stop_reason == "diverged"
    assert_same_result(resumed(make, tmp_path / "run", [1, 10]), expected)
    arguments, options = make()
    assert_same_result(st.minimize(*arguments, **options, checkpoint=tmp_path / "run"), expected)


@pytest.mark.parametrize("rule", [lambda: st.GradientDescent(0.4), lambda: st.Momentum("auto")])
def test_a_run_in_python_goes_back_to_the_last_finite_point(rule, tmp_path, monkeypatch):
    """Between evaluations that is another point than the one which the run is at."""

    def cliff(w):
        return (np.inf if abs(w[0]) > 1e9 else float((w**4).sum())), 4 * w**3

    def run(**options):
        start = np.array([3.0, 1.0])
        return st.minimize(
            st.Function(cliff, 2), start, rule(), evaluate_every=4, max_epochs=8, diagnose=False, **options
        )

    expected = run()
    assert (expected.stop_reason == "diverged") == (rule().learning_rate == 0.4)
    n_writes = 1 + expected.n_epochs
    for last in range(1, n_writes + 1):
        with monkeypatch.context() as patch:
            Slices(patch, 1000, last)
            with pytest.raises(BrokenOffError):
                run(checkpoint=tmp_path / f"{last}", checkpoint_seconds=0)
        assert_same_result(run(checkpoint=tmp_path / f"{last}"), expected)


def test_a_resumed_run_in_python_evaluates_no_point_again(tmp_path):
    calls = []

    def counted(w):
        calls.append(w)
        return bowl(w)

    def run(**options):
        options = {"optimizer": st.Adam(0.1), "max_epochs": 9, "diagnose": False, **options}
        st.minimize(st.Function(counted, 3), np.ones(3), **options)

    run()
    n_calls = len(calls)
    run(max_epochs=4, checkpoint=tmp_path / "run")
    run(checkpoint=tmp_path / "run")
    assert len(calls) == 2 * n_calls


def test_without_a_seed_the_first_seed_is_taken_again(tmp_path):
    """The half-way file is resumed twice: at once, and with another break on the way."""

    def run(path, last=None, **options):
        callbacks = [] if last is None else [broken_off(last)]
        return st.minimize(logistic(), optimizer=st.Adam(0.1), batch_size=4, max_epochs=6, callbacks=callbacks,
                           checkpoint=path, checkpoint_seconds=0, **options)  # fmt: skip

    one, two = tmp_path / "one", tmp_path / "two"
    with pytest.raises(BrokenOffError):
        run(one, 2)
    two.write_bytes(one.read_bytes())
    expected = run(one)
    with pytest.raises(BrokenOffError):
        run(two, 4)
    assert_same_result(run(two), expected)
    with pytest.raises(ValueError, match=r"random_state: expected seed \d+, found None"):
        run(one, random_state=3)
    assert run(tmp_path / "three").w.tobytes() != expected.w.tobytes()


def test_warnings_of_a_run_are_not_repeated(tmp_path):
    """The diagnosis of the first half warned; the second half does not warn of the same again."""

    def run(**options):
        return st.minimize(logistic(), optimizer=st.GradientDescent(20.0), max_epochs=80, **options)

    with pytest.warns(st.DiagnosisWarning, match="oscillates"), pytest.raises(BrokenOffError):
        run(checkpoint=tmp_path / "run", checkpoint_seconds=0, callbacks=broken_off(70))
    with warnings.catch_warnings():
        warnings.simplefilter("error", st.DiagnosisWarning)
        run(checkpoint=tmp_path / "run")


@pytest.mark.parametrize("best", [False, True])
def test_the_automatic_rate_remembers_everything(best):
    """Each attribute that is not of the run itself has a number of its own, which comes back."""
    w = np.zeros(6)
    given = {"_objective", "_rule", "_w", "_batch_size", "_quadratic", "_mu", "_unlikeness"}
    one, other = (AutoRate(logistic(), st.Momentum("auto"), w, 0) for _ in range(2))
    changed = vars(one).keys() - given - {"_last", "_best", "_vector"}
    for number, name in enumerate(sorted(changed)):
        setattr(one, name, type(getattr(one, name))(number + 17))
    one._last.extend([(1.0, 2.0), (3.0, 4.0)])
    if best:
        one._best, one._vector = (0.5, 0.25, w + 1.0), np.arange(6.0)
    other.resume(through_a_file(one.state()))
    for name in vars(one).keys() - given:
        assert repr(getattr(other, name)) == repr(getattr(one, name)), name
    assert other._last.maxlen == one._last.maxlen

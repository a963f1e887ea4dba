"""Checkpoints of `minimize`: raised limits, breaks within an epoch, and seeds."""

from __future__ import annotations

import warnings

import pytest

import steepest as st
from checkpoint_problems import Slices, logistic, sparse_rows
from checkpoints import BrokenOffError, assert_same_bits, assert_same_result, broken_off
from steepest.descent import checkpoints as module
from steepest.descent import run as run_module


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

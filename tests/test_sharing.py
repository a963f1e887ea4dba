"""One optimizer, or one stopping rule, that several runs use at once: each run has the bits that it has alone."""

import sys
import threading

import numpy as np
import pytest

import steepest as st

RUNS = 8


@pytest.fixture(autouse=True)
def _switch_often():
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(before)


def _together(run, n=RUNS):
    """Return the results of n runs in as many threads that begin at once."""
    results, barrier = [None] * n, threading.Barrier(n)

    def work(i):
        barrier.wait()
        try:
            results[i] = run(i)
        except Exception as error:
            results[i] = error

    threads = [threading.Thread(target=work, args=(i,)) for i in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def _logistic(seed=0, n=4000, d=10):
    random = np.random.default_rng(seed)
    X = random.normal(size=(n, d)).astype(np.float32)
    y = (X[:, 0] + random.normal(size=n) > 0).astype(np.float32)
    return st.Logistic(X, y, alpha=1e-3)


def _function():
    curvature = np.geomspace(0.1, 1.0, 20)
    return st.Function(lambda w: (0.5 * float(w @ (curvature * w)) - float(w.sum()), curvature * w - 1.0), 20)


STEPPERS = [st.Momentum("auto"), st.GradientDescent("auto"), st.Momentum(0.1), st.Adam(0.05)]


@pytest.mark.parametrize(
    ("kind", "optimizer"),
    [*(("logistic", each) for each in (*STEPPERS, st.QuasiNewton())), *(("function", each) for each in STEPPERS)],
    ids=str,
)
def test_runs_that_share_an_optimizer_are_independent(kind, optimizer):
    objective, w0 = (_logistic(n=20_000, d=20), None) if kind == "logistic" else (_function(), np.zeros(20))
    alone = st.minimize(objective, w0, optimizer, max_epochs=30, diagnose=False)
    for _ in range(3):
        for found in _together(lambda i: st.minimize(objective, w0, optimizer, max_epochs=30, diagnose=False)):
            assert found.w.tobytes() == alone.w.tobytes()
            assert found.n_steps == alone.n_steps
    assert st.minimize(objective, w0, optimizer, max_epochs=30, diagnose=False).w.tobytes() == alone.w.tobytes()


def test_runs_that_share_a_stopping_rule_are_independent():
    objectives = [_logistic(seed) for seed in range(RUNS)]
    rules = [st.stop.LossChange(1e-4), st.stop.NoImprovement(3, min_delta=1e-4)]

    def run(i, stop):
        validation = _logistic(100 + i)
        return st.minimize(
            objectives[i], None, st.Adam(0.05), max_epochs=60, diagnose=False, validation=validation, stop=stop
        )

    alone = [run(i, rules) for i in range(RUNS)]
    assert len({result.n_epochs for result in alone}) > 1
    for _ in range(3):
        together = _together(lambda i: run(i, rules))
        assert [found.n_epochs for found in together] == [result.n_epochs for result in alone]


def test_a_run_within_a_run_leaves_the_outer_ones_state_alone():
    optimizer, objective = st.Momentum(0.1), _function()
    alone = st.minimize(objective, np.zeros(20), optimizer, max_epochs=30, diagnose=False)

    def inner(progress):
        st.minimize(objective, np.ones(20), optimizer, max_epochs=5, diagnose=False)

    found = st.minimize(objective, np.zeros(20), optimizer, max_epochs=30, callbacks=inner, diagnose=False)
    assert found.w.tobytes() == alone.w.tobytes()
    assert optimizer.n_steps == alone.n_steps


def test_a_run_does_not_go_on_from_a_state_that_another_run_is_changing():
    optimizer, objective = st.Momentum(0.1), _function()

    def inner(progress):
        st.minimize(objective, np.ones(20), optimizer, max_epochs=5, reset=False)

    with pytest.raises(ValueError, match=r"optimizer must be in no other run where reset=False .* got Momentum\("):
        st.minimize(objective, np.zeros(20), optimizer, max_epochs=30, callbacks=inner)
    first = st.minimize(objective, np.zeros(20), optimizer, max_epochs=30, diagnose=False)  # it is free again
    again = st.minimize(objective, first.w, optimizer, max_epochs=30, reset=False, diagnose=False)
    whole = st.minimize(objective, np.zeros(20), st.Momentum(0.1), max_epochs=60, diagnose=False)
    assert again.w.tobytes() == whole.w.tobytes()


def test_runs_that_share_an_optimizer_from_several_starts():
    optimizer, objective = st.Momentum("auto"), _function()
    options = {"max_epochs": 20, "starts": 3, "random_state": 0, "diagnose": False}
    alone = st.minimize(objective, np.zeros(20), optimizer, **options)
    for found in _together(lambda i: st.minimize(objective, np.zeros(20), optimizer, **options)):
        assert found.w.tobytes() == alone.w.tobytes()

"""What a reviewer once broke: each of these gave a wrong answer, a lost run or a message that did not help."""

from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest

import steepest as st
from cases import RULES, Problem, each_loss, each_rule, run
from steepest.cli.readers import load_table
from steepest.cli.tables import TableError


def test_a_validation_loss_of_nan_is_refused():
    X, y, _ = Problem().data
    broken = X.copy()
    broken[0, 0] = math.nan
    with pytest.raises(ValueError, match="validation must have a finite loss"):
        st.minimize(Problem().objective, validation=(broken, y), stop=st.stop.NoImprovement(3))


@each_rule
def test_optimizers_survive_copies_and_pickling(rule):
    problem, optimizer = Problem(), rule.make()
    run(problem, optimizer)
    w = np.ones(6)
    optimizer.step(w[:], np.ones(6))
    for twin in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        a, b = np.ones(6), np.ones(6)
        copy.deepcopy(optimizer).step(a, np.full(6, 0.3))
        twin.step(b, np.full(6, 0.3))
        assert a.tobytes() == b.tobytes()
        assert repr(twin) == repr(optimizer)


@each_loss
def test_objectives_survive_copies_and_pickling(loss):
    problem = Problem(loss, weighted=True, alpha=0.1, l1_ratio=0.5)
    objective = problem.objective
    for twin in (copy.deepcopy(objective), pickle.loads(pickle.dumps(objective))):
        assert twin.value(problem.w0) == objective.value(problem.w0)


def test_a_learning_rate_that_is_set_is_used():
    optimizer, w = st.GradientDescent(0.1), np.zeros(1)
    optimizer.learning_rate = 5.0
    optimizer.step(w, np.ones(1))
    assert w[0] == -5.0
    assert "5.0" in repr(optimizer)
    with pytest.raises(AttributeError):
        st.Momentum(0.1).momentum = 0.5
    with pytest.raises(AttributeError):
        Problem().objective.alpha = 1.0


def test_a_subclass_with_its_own_gradient_is_asked_for_it():
    class Doubled(st.LeastSquares):
        def value_and_gradient(self, w):
            value, gradient = super().value_and_gradient(w)
            return 2 * value, 2 * gradient

    X, y, _ = Problem().data
    plain = st.minimize(st.LeastSquares(X, y), optimizer=st.GradientDescent(0.1), max_epochs=5)
    doubled = st.minimize(Doubled(X, y), optimizer=st.GradientDescent(0.05), max_epochs=5, validation=(X, y))
    np.testing.assert_allclose(doubled.w, plain.w, rtol=1e-12)
    with pytest.raises(ValueError, match=r"batch_size.*Doubled"):
        st.minimize(Doubled(X, y), batch_size=4)


BAD_STATES = {
    "of another velocity": {"rule": "momentum_step"},
    "without its arrays": {"state": {}},
    "with half a step": {"n_steps": 1.5},
    "of integers": {"state": {"velocity": np.zeros(6, int)}},
}


@pytest.mark.parametrize("case", BAD_STATES)
def test_bad_states_are_refused(case):
    optimizer = st.Momentum(0.1)
    run(Problem(), optimizer)
    state = optimizer.state_dict()
    with pytest.raises((TypeError, ValueError), match="state_dict"):
        optimizer.load_state_dict({**state, **BAD_STATES[case]})
    for broken in (None, {}, {"name": "Momentum"}):
        with pytest.raises((TypeError, ValueError), match="state_dict"):
            optimizer.load_state_dict(broken)
    assert optimizer.n_steps == state["n_steps"]


@pytest.mark.parametrize("batch_size", [None, 7])
def test_a_schedule_is_asked_only_for_steps_that_are_taken(batch_size):
    rates = [0.01] * 3 * (1 if batch_size is None else 4)
    optimizer = st.GradientDescent(lambda t: rates[t])
    assert run(Problem(), optimizer, 3, batch_size=batch_size).n_steps == len(rates)
    X, y, _ = Problem().data
    function = st.Function(st.LeastSquares(X, y).value_and_gradient, 6)
    assert st.minimize(function, optimizer=st.GradientDescent(lambda t: [0.01] * 3 + [][t:]), max_epochs=0).n_steps == 0


def test_a_wrong_argument_leaves_the_optimizer_alone():
    optimizer = st.Adam()
    run(Problem(), optimizer)
    before = optimizer.n_steps
    with pytest.raises(ValueError, match="max_epochs"):
        st.minimize(Problem().objective, optimizer=optimizer, max_epochs=-1)
    assert optimizer.n_steps == before > 0


@pytest.mark.parametrize("native", [True, False])
def test_divergence_ends_the_run_at_once_whatever_is_evaluated(native):
    objective = Problem().objective
    objective = objective if native else st.Function(objective.value_and_gradient, 6)
    with pytest.warns(st.DivergenceWarning), np.errstate(all="ignore"):
        result = st.minimize(objective, optimizer=st.GradientDescent(1e5), max_epochs=50_000, evaluate_every=50_000)
    assert result.stop_reason == "diverged"
    assert result.n_steps < 100


def test_a_hessian_product_that_raises_does_not_lose_the_run():
    X, y, _ = Problem().data
    function = st.Function(st.LeastSquares(X, y).value_and_gradient, 6, lambda w, v: 1 / 0)
    with pytest.warns(st.DivergenceWarning, match="learning rate"), np.errstate(all="ignore"):
        assert st.minimize(function, optimizer=st.GradientDescent(1e3), max_epochs=10**4).stop_reason == "diverged"


@pytest.mark.parametrize("batch_size", [23, 24, 10**30])
def test_a_batch_of_all_rows_is_batch_descent(batch_size):
    whole, batch = (run(Problem(), RULES[0].make(), batch_size=size) for size in (None, batch_size))
    assert whole.path.tobytes() == batch.path.tobytes()


def test_weights_of_infinite_sum_are_refused():
    X, y, _ = Problem().data
    with pytest.raises(ValueError, match=r"sample_weight.*finite sum"):
        st.LeastSquares(X, y, sample_weight=np.full(23, 1e308))


@pytest.mark.parametrize("name", ["shuffle", "progress", "record_path", "reset"])
def test_flags_are_true_or_false(name):
    with pytest.raises(TypeError, match=f"{name} must be True or False"):
        st.minimize(Problem().objective, **{name: "no"})


def test_float32_losses_have_no_bias():
    X, y = np.zeros((5000, 4), np.float32), np.ones(5000, np.float32)
    assert st.Logistic(X, y).value(np.zeros(5, np.float32)) == pytest.approx(math.log(2), rel=6e-8)


def test_rows_longer_than_the_header_are_refused(tmp_path):
    path = tmp_path / "long.csv"
    path.write_text("a,b,y\n" + "".join(f"{i},{i * i},{2 * i},9\n" for i in range(9)))
    with pytest.raises(TableError, match="more fields than the header"):
        load_table(path)


def test_cells_that_are_lists_are_refused(tmp_path):
    path = tmp_path / "lists.parquet"
    pd.DataFrame({"a": [[1], [2]], "y": [0, 1]}).to_parquet(path)
    from steepest.cli.encoding import TableEncoder

    with pytest.raises(TableError, match="column 'a' holds a"):
        TableEncoder().fit(load_table(path).frame[["a"]])

"""The CUDA training loop, persistent and a launch a step, against a NumPy loop: emulated and on a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from cases import LOSSES, RULES, Problem, assert_follows, each_loss, each_rule
from devices import Memory
from steepest import _core
from steepest.descent.arguments import seed_of
from storages import STORAGES, rounded

ADAM = RULES[10]


def descend(memory, problem, rule, epochs=2, batch_size=None, storage=None, shuffle=True, seed=7, tiling="auto"):
    """The parameters after every step, and the evaluations before each epoch and after the last."""
    X, y, s = problem.data
    stored = rounded(X, storage)[0] if storage else X
    w0, n, l1 = problem.w0, problem.n, problem.alpha * problem.l1_ratio
    weight, weight_sum = (memory.put(s), float(s.sum(dtype=float))) if problem.weighted else (0, float(n))
    objective = memory.module.Objective(
        problem.loss, storage or X.dtype.name, memory.put(stored), n, problem.d, problem.order == "C", memory.put(y),
        weight, weight_sum, problem.intercept, l1, problem.alpha - l1, memory.device, memory.stream, tiling,
        LOSSES[problem.loss].parameters,
    )  # fmt: skip
    optimizer = rule.make()
    native = memory.module.Rule(optimizer.rule_name, **optimizer._hyperparameters)
    states = tuple(memory.put(np.zeros_like(w0)) for _ in range(native.n_states))
    descent = memory.module.Descent(objective, native, memory.put(w0), states, 0, batch_size or 0)
    steps = -(-n // batch_size) if batch_size else 1
    path, evaluations = [w0[None]], [descent.evaluate()]
    for epoch in range(epochs):
        descent.start_epoch(_core.row_order(n, seed_of(seed), epoch) if shuffle and batch_size else None)
        part = np.empty((steps, w0.size), w0.dtype)
        taken, done, diverged = descent.run(np.full(steps, optimizer.learning_rate), 60.0, part)
        assert (taken, done, diverged) == (steps, True, False)
        path.append(part)
        evaluations.append(descent.evaluate())
    assert descent.n_steps == epochs * steps
    return np.concatenate(path), np.array(evaluations)


def check(memory, problem, rule, epochs=2, batch_size=None, **options):
    path, evaluations = descend(memory, problem, rule, epochs, batch_size, **options)
    expected = problem.path(rule, epochs, batch_size, shuffle=options.get("shuffle", True))
    assert_follows(path, expected, 1e-11)
    for w, found in zip(expected[:: (len(expected) - 1) // epochs], evaluations, strict=True):
        assert found[0] == pytest.approx(problem.value_and_gradient(w)[0], rel=1e-9)
        assert found[1] == pytest.approx(problem.gradient_norm(w), rel=1e-7, abs=1e-12)


@each_rule
@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_follows_the_reference(memory, rule, batch_size):
    check(memory, Problem("logistic", n=23, d=5), rule, batch_size=batch_size)


@each_loss
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("order", ["C", "F"])
def test_weights_and_penalties(memory, loss, intercept, order):
    problem = Problem(loss, n=60, d=9, order=order, weighted=True, intercept=intercept, alpha=0.1, l1_ratio=0.4)
    check(memory, problem, ADAM, batch_size=16)


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
@pytest.mark.parametrize(("n", "d", "batch_size"), [(33, 8, 32), (300, 64, 129), (40, 256, 8)])
def test_each_tiling(memory, n, d, batch_size, tiling):
    check(memory, Problem(n=n, d=d, alpha=0.01), ADAM, batch_size=batch_size, tiling=tiling)


@pytest.mark.parametrize("d", [257, 259, 301])
def test_an_odd_number_of_columns_beyond_a_block(memory, d):
    path, _ = descend(memory, Problem(n=20, d=d, dtype=np.float32), ADAM, batch_size=8, tiling="tiles")
    expected = Problem(n=20, d=d, dtype=np.float32).path(ADAM, 2, 8)
    assert_follows(path, expected, 1e-4)


@pytest.mark.parametrize("tiling", ["auto", "split"])
def test_in_sequence(memory, tiling):
    check(memory, Problem(n=50, d=6), ADAM, batch_size=8, shuffle=False, tiling=tiling)


@pytest.mark.parametrize("storage", STORAGES)
def test_storages(memory, storage):
    problem = Problem("logistic", n=64, d=24, dtype=np.float64 if storage == "float64" else np.float32)
    X, y, s = problem.data
    path, _ = descend(memory, problem, ADAM, batch_size=16, storage=storage)
    values = rounded(X, storage)[1].astype(float)

    class Rounded(Problem):
        data = values, y, s

    expected = Rounded("logistic", n=64, d=24, dtype=problem.dtype).path(ADAM, 2, 16)
    assert_follows(path, expected, 1e-11 if storage == "float64" else 1e-5)


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
def test_the_same_bits_every_time(memory, tiling):
    problem = Problem("logistic", n=200, d=32, dtype=np.float32)
    first, again = (descend(Memory(memory.module), problem, ADAM, batch_size=32, tiling=tiling)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)


@pytest.mark.parametrize("tiling", ["lanes", "bulk", "split"])
@pytest.mark.parametrize("batch_size", [None, 4])
def test_a_run_that_diverges_goes_back(memory, batch_size, tiling):
    problem = Problem(n=32, d=8, dtype=np.float32)
    X, y, _ = problem.data
    objective = memory.module.Objective(
        "least_squares", "float32", memory.put(X), 32, 8, True, memory.put(y), 0, 32.0, True, 0.0, 0.0, 0, 1, tiling
    )
    w = memory.put(problem.w0)
    descent = memory.module.Descent(objective, memory.module.Rule("gradient_descent"), w, (), 0, batch_size or 0)
    assert np.isfinite(descent.evaluate()[0])
    diverged, steps = False, 0
    for _ in range(40):
        descent.start_epoch(None)
        taken, _, diverged = descent.run(np.full(8, 1e6), 60.0, None)
        steps += taken
        if diverged or not np.isfinite(descent.evaluate()[0]):
            break
    assert descent.n_steps == steps
    descent.restore()
    assert np.isfinite(memory.get(w, 9, np.float32)).all()
    assert np.isfinite(descent.evaluate()[0])


def test_learning_rates_are_taken_step_by_step(memory):
    problem = Problem(n=40, d=4)
    X, y, _ = problem.data
    objective = memory.module.Objective(
        "least_squares", "float64", memory.put(X), 40, 4, True, memory.put(y), 0, 40.0, True, 0.0, 0.0, 0, 1
    )
    w = memory.put(problem.w0)
    descent = memory.module.Descent(objective, memory.module.Rule("gradient_descent"), w, (), 0, 10)
    descent.start_epoch(None)
    path = np.empty((4, 5))
    rates = np.array([0.1, 0.0, 0.05, 0.2])
    assert descent.run(rates[:3], 60.0, path)[:2] == (3, False)
    assert descent.run(rates[3:], 60.0, path[3:])[:2] == (1, True)
    current = problem.w0.astype(float)
    for step, rate in enumerate(rates):
        current = current - rate * problem.batch_gradient(current, np.arange(10 * step, 10 * step + 10))
        np.testing.assert_allclose(path[step], current, rtol=1e-12)

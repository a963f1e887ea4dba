"""Runs of `minimize` under a constraint: their steps, their optimum, their history, and what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import scipy.optimize

import steepest as st
from cases import RULES, Problem, Rule, assert_follows, each_loss, each_rule
from steepest import reference

pytestmark = pytest.mark.filterwarnings("ignore::steepest.DiagnosisWarning")  # of rates chosen for other reasons

each_batch = pytest.mark.parametrize("batch_size", [1, 7, None])
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])

PLAIN = [rule for rule in RULES if not rule.make().scales_coordinates]
BOX = st.Box(-0.2, 0.4)


@dataclasses.dataclass(frozen=True)
class Inside(Problem):
    """A problem that starts in the set of its constraint."""

    constraint: Any = BOX

    @property
    def w0(self):
        return self.constraint.project(super().w0, intercept=self.intercept)

    def expected(self, rule, epochs, batch_size=None):
        return self.path(rule, epochs, batch_size, project=lambda w: self.constraint.project(w, intercept=True))

    def run(self, optimizer, epochs=3, start=True, **options):
        options = {"max_epochs": epochs, "random_state": 7, "record_path": True, **options}
        return st.minimize(self.objective, self.w0 if start else None, optimizer, constraint=self.constraint, **options)


# The steps


@each_rule
@each_loss
@each_batch
def test_a_box_follows_the_reference(isa, rule, loss, batch_size):
    for order, d in (("C", 33), ("F", 33), ("C", 7)):
        problem = Inside(loss, d=d, order=order, weighted=True, alpha=0.2, l1_ratio=0.4)
        assert_follows(problem.run(rule.make(), 2, batch_size=batch_size).path, problem.expected(rule, 2, batch_size))


@pytest.mark.parametrize("rule", PLAIN, ids=str)
@each_loss
@each_batch
def test_a_simplex_follows_the_reference(isa, rule, loss, batch_size):
    for order, d in (("C", 33), ("F", 33), ("C", 7)):
        problem = Inside(loss, d=d, order=order, weighted=True, alpha=0.2, constraint=st.Simplex(1.5))
        assert_follows(problem.run(rule.make(), 2, batch_size=batch_size).path, problem.expected(rule, 2, batch_size))


@each_batch
@pytest.mark.parametrize("constraint", [BOX, st.Simplex()], ids=repr)
def test_float32_follows_the_reference(isa, batch_size, constraint):
    problem, rule = Inside("logistic", d=19, dtype=np.float32, alpha=0.1, constraint=constraint), RULES[1]
    assert_follows(problem.run(rule.make(), 2, batch_size=batch_size).path, problem.expected(rule, 2, batch_size), 2e-5)


@each_dtype
@pytest.mark.parametrize("batch_size", [1, 64, None])
@pytest.mark.parametrize("constraint", [BOX, st.Simplex()], ids=repr)
def test_same_bits_for_any_number_of_threads(dtype, batch_size, constraint):
    problem, runs = Inside(n=300, d=400, dtype=dtype, constraint=constraint), []
    for n_threads in (1, 2, 3):
        with st.threads(n_threads):
            result = problem.run(st.Momentum(1e-3), 2, batch_size=batch_size)
        runs.append(result.path.tobytes() + result.history["gradient_norm"].tobytes())
    assert runs[0] == runs[1] == runs[2]


@each_dtype
@pytest.mark.parametrize("batch_size", [1, 7])
def test_a_run_in_two_parts_is_the_whole(dtype, batch_size):
    problem = Inside(dtype=dtype, constraint=st.Simplex())
    whole = problem.run(st.Momentum(0.02), 4, batch_size=batch_size, shuffle=False)
    optimizer = st.Momentum(0.02)
    half = problem.run(optimizer, 2, batch_size=batch_size, shuffle=False)
    options = {"constraint": problem.constraint, "batch_size": batch_size, "shuffle": False, "max_epochs": 2}
    rest = st.minimize(problem.objective, half.w, optimizer, reset=False, **options)
    assert rest.w.tobytes() == whole.w.tobytes()


def test_data_of_16_bits():
    X, y, _ = Problem(dtype=np.float32).data
    narrow, wide = (
        st.minimize(st.LeastSquares(data, y), None, st.GradientDescent(0.05), constraint=BOX, max_epochs=20)
        for data in (X.astype(np.float16), X.astype(np.float16).astype(np.float32))
    )
    np.testing.assert_allclose(narrow.w, wide.w, rtol=1e-5, atol=1e-6)
    assert (narrow.w[:-1] <= np.float32(0.4)).all()


# The optimum


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rule", [Rule(st.Adam, None, {"learning_rate": 0.01}), *PLAIN], ids=str)
def test_a_box_finds_what_nnls_finds(seed, rule):
    problem = Problem(n=40, d=8, intercept=False, seed=seed)
    X, y, _ = problem.data
    stop, box = st.stop.GradientNorm(1e-8), st.Box(0, np.inf)
    result = st.minimize(problem.objective, None, rule.make(), constraint=box, max_epochs=20000, stop=stop)
    assert result.converged
    np.testing.assert_allclose(result.w, scipy.optimize.nnls(X, y)[0], atol=1e-7)


@each_loss
@pytest.mark.parametrize("l1_ratio", [0.0, 0.6])
@pytest.mark.parametrize("seed", range(3))
def test_a_box_finds_what_lbfgsb_finds(loss, l1_ratio, seed):
    problem = Problem(loss, n=60, d=6, alpha=0.1, l1_ratio=l1_ratio, seed=seed, weighted=True)
    lower, upper = (
        np.array([0.1, -0.2, -np.inf, 0.0, -0.05, -0.1, -0.2]),
        np.array([0.3, 0.2, 0.0, 0.1, 0.05, 0.0, 0.2]),
    )
    box, stop = st.Box(lower, upper), st.stop.GradientNorm(1e-10)
    result = st.minimize(problem.objective, None, st.GradientDescent(0.1), constraint=box, max_epochs=20000, stop=stop)
    assert result.converged
    smooth = dataclasses.replace(problem, alpha=problem.alpha * (1 - l1_ratio), l1_ratio=0.0)
    l1 = problem.alpha * l1_ratio * problem.penalised

    def split(v):  # w = positive - negative part, whose L1 norm is smooth
        value, gradient = smooth.value_and_gradient(v[:7] - v[7:])
        return value + np.r_[l1, l1] @ v, np.r_[gradient + l1, l1 - gradient]

    ends = np.r_[np.maximum(lower, 0), np.maximum(-upper, 0)], np.r_[np.maximum(upper, 0), np.maximum(-lower, 0)]
    options = {"ftol": 1e-15, "gtol": 1e-11, "maxiter": 10000}
    found = scipy.optimize.minimize(
        split, ends[0], jac=True, method="L-BFGS-B", bounds=scipy.optimize.Bounds(*ends), options=options
    )
    assert result.value <= found.fun + 1e-12
    np.testing.assert_allclose(result.w, found.x[:7] - found.x[7:], atol=2e-5)


@each_loss
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("total", [0.3, 1.0, 20.0])
def test_a_simplex_finds_what_slsqp_finds(loss, seed, total):
    problem = Problem(loss, n=60, d=5, alpha=0.01, seed=seed)
    result = st.minimize(
        problem.objective, None, st.Momentum(0.05, 0.5), constraint=st.Simplex(total), max_epochs=20000,
        stop=st.stop.GradientNorm(1e-9),
    )  # fmt: skip
    assert result.converged
    assert result.w[:-1].sum() == pytest.approx(total, rel=1e-14)
    found = scipy.optimize.minimize(
        problem.value_and_gradient, np.append(np.full(5, total / 5), 0.0), jac=True, method="SLSQP",
        bounds=[(0, None)] * 5 + [(None, None)], options={"ftol": 1e-14, "maxiter": 1000},
        constraints={"type": "eq", "fun": lambda w: w[:-1].sum() - total},
    )  # fmt: skip
    np.testing.assert_allclose(result.w, found.x, atol=2e-5 * max(1.0, total))
    assert result.value <= found.fun + 1e-10


# Functions


@pytest.mark.parametrize("rule", PLAIN, ids=str)
@pytest.mark.parametrize("constraint", [BOX, st.Box([-0.1] * 5, [0.1, 0.5, np.inf, 1, 2]), st.Simplex(2)], ids=repr)
def test_a_function_goes_through_the_same_loop(rule, constraint):
    problem = Inside("logistic", d=5, intercept=False, alpha=0.2, constraint=constraint)
    native = problem.run(rule.make(), 30)
    function = st.Function(problem.value_and_gradient, 5)
    result = st.minimize(function, problem.w0, rule.make(), constraint=constraint, max_epochs=30, record_path=True)
    assert_follows(result.path, native.path)
    np.testing.assert_allclose(result.history["gradient_norm"], native.history["gradient_norm"], rtol=1e-9, atol=1e-12)


def test_an_objective_of_its_own_leaves_the_intercept_free():
    class Own(st.LeastSquares):
        def value_and_gradient(self, w):
            return super().value_and_gradient(w)

    problem = Inside(constraint=st.Simplex())
    X, y, _ = problem.data
    result = st.minimize(
        Own(X, y), problem.w0, st.GradientDescent(0.05), constraint=st.Simplex(), max_epochs=9, record_path=True
    )
    assert_follows(result.path, problem.run(st.GradientDescent(0.05), 9).path)
    assert result.w[:-1].sum() == pytest.approx(1.0, rel=1e-14)


# The norm of the gradient


def box_norm(problem, w, box):
    g, l1 = problem.value_and_gradient(w)[1], problem.alpha * problem.l1_ratio * problem.penalised
    g = np.where(w == 0, reference.soft_threshold(g, l1), g + l1 * np.sign(w))
    lower, upper = (
        np.append(np.full(problem.d, bound), free) for bound, free in ((box.lower, -np.inf), (box.upper, np.inf))
    )
    held = ((w == lower) & (g > 0)) | ((w == upper) & (g < 0))
    return np.linalg.norm(g[~held])


@each_loss
@pytest.mark.parametrize("batch_size", [None, 7])
def test_the_norm_leaves_out_what_the_constraint_holds_back(loss, batch_size):
    for box in (BOX, st.Box(0.0, 0.3), st.Box(0.1, 0.1)):
        problem = Inside(loss, weighted=True, alpha=0.3, l1_ratio=0.5, constraint=box)
        result = problem.run(st.GradientDescent(0.1), 12, batch_size=batch_size)
        points = result.path[:: len(result.path) // 12]
        expected = [box_norm(problem, w, box) for w in points]
        np.testing.assert_allclose(result.history["gradient_norm"], expected, rtol=1e-10)
    problem = Inside(loss, weighted=True, alpha=0.3, constraint=st.Simplex())
    result = problem.run(st.GradientDescent(0.1), 12, batch_size=batch_size)
    for w, norm in zip(result.path[:: len(result.path) // 12], result.history["gradient_norm"], strict=True):
        step = w - st.Simplex().project(w - problem.value_and_gradient(w)[1], intercept=True)
        assert norm == pytest.approx(np.linalg.norm(step), rel=1e-10)


@each_dtype
def test_without_a_constraint_that_binds_nothing_changes(dtype):
    problem = Inside(dtype=dtype, alpha=0.3, l1_ratio=0.5, constraint=st.Box(-np.inf, np.inf))
    free, bounded = (
        st.minimize(problem.objective, problem.w0, st.Adam(), constraint=constraint, max_epochs=5, record_path=True)
        for constraint in (None, problem.constraint)
    )
    assert free.path.tobytes() == bounded.path.tobytes()
    np.testing.assert_array_equal(free.history["gradient_norm"], bounded.history["gradient_norm"])

"""The pairs of limited-memory BFGS: directions against the two-loop recursion in NumPy, and block products."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import steepest as st
from steepest import _core
from steepest.quasi_newton.lbfgs import LBFGSHistory
from steepest.quasi_newton.line_search import Iterate
from steepest.quasi_newton.metric import DenseMetric, DiagonalMetric

SIZES = [1, 2, 7, 8, 33, 2047, 2049, 16_384, 16_385, 40_001]


def points(size, dtype, count, seed=0):
    """Iterates of a quadratic function with the Hessian diag(1 + u)."""
    rng = np.random.default_rng(seed)
    curvature, found = 1 + rng.random(size), []
    for _ in range(count):
        w = rng.standard_normal(size).astype(dtype)
        found.append(Iterate(w, 0.0, (curvature * w).astype(dtype).astype(np.float64), 1.0))
    return found


def two_loops(pairs, gradient, solve):
    """Nocedal's recursion, pair after pair."""
    q, weights = gradient.copy(), []
    for s, y in reversed(pairs):
        weights.append(s @ q / (s @ y))
        q -= weights[-1] * y
    z = solve(q)
    for (s, y), weight in zip(pairs, reversed(weights), strict=True):
        z += (weight - y @ z / (s @ y)) * s
    return -z


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kept", [1, 3, 20, 23])
def test_directions_are_those_of_the_recursion(size, dtype, kept):
    """After 23 pairs the first three have made room. In one dimension every pair after the first changes nothing."""
    diagonal = 1 + np.random.default_rng(1).random(size)
    history, iterates = LBFGSHistory(DiagonalMetric(diagonal)), points(size, dtype, kept + 1)
    for before, after in pairwise(iterates):
        history.note(before, after)
        found = history.direction(after.gradient)
    pairs = [
        (
            (after.w.astype(np.float64) - before.w).astype(dtype).astype(np.float64),
            (after.gradient - before.gradient).astype(dtype).astype(np.float64),
        )
        for before, after in pairwise(iterates)
    ][-20:]
    assert len(history) == len(pairs)
    s, y = pairs[-1]
    factor = (y * y / diagonal).sum() / (s @ y)
    expected = two_loops(pairs, iterates[-1].gradient, lambda q: q / diagonal / factor)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=0, atol=(1e-3 if size < 20 else 1e-9) * scale)


def test_a_dense_metric_is_asked_once():
    rng = np.random.default_rng(2)
    A = rng.standard_normal((40, 30))
    history, iterates = LBFGSHistory(DenseMetric(A.T @ A, 1e-12)), points(30, np.float64, 6)
    for before, after in pairwise(iterates):
        history.note(before, after)
    pairs = [(b.w - a.w, b.gradient - a.gradient) for a, b in pairwise(iterates)]
    expected = two_loops(pairs, iterates[0].gradient, lambda q: np.linalg.solve(A.T @ A, q))
    np.testing.assert_allclose(history.direction(iterates[0].gradient), expected, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_and_a_resumed_history_change_no_bit(dtype):
    iterates = points(50_001, dtype, 9)

    def direction(threads, resumed):
        history = LBFGSHistory(DiagonalMetric(np.full(50_001, 1.5)))
        with st.threads(threads):
            for before, after in pairwise(iterates):
                history.note(before, after)
                history.direction(after.gradient)
            if resumed:
                state, history = history.state(), LBFGSHistory(history.metric)
                history.resume(state)
            return history.direction(iterates[0].gradient).copy()

    first = direction(1, False)
    for threads, resumed in ((2, False), (3, True), (5, False)):
        np.testing.assert_array_equal(direction(threads, resumed), first)


def test_every_level_rounds_alike():
    code = (
        "import numpy as np, test_pairs as t\n"
        "h = t.LBFGSHistory(t.DiagonalMetric(np.full(20_003, 1.5))); p = t.points(20_003, np.float32, 7)\n"
        "[h.note(a, b) for a, b in zip(p, p[1:])]\n"
        "print(h.direction(p[0].gradient).tobytes().hex()[-400:], float(h.direction(p[0].gradient).sum()).hex())\n"
    )
    found = set()
    for level in _core.isa_levels_supported():
        path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
        environment = {**os.environ, "STEEPEST_ISA": level, "PYTHONPATH": path}
        run = subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
        found.add(run.stdout)
    assert len(found) == 1


def test_pairs_without_curvature_are_left_out():
    """A change against its step; one of no length; and one whose product overflows."""
    history = LBFGSHistory(DiagonalMetric(np.ones(3)))
    start = Iterate(np.zeros(3, np.float32), 0.0, np.zeros(3), 0.0)
    for change in (-1.0, 0.0, np.inf):
        history.note(start, Iterate(np.ones(3, np.float32), 0.0, np.full(3, change), 1.0))
    assert len(history) == 0
    np.testing.assert_array_equal(history.direction(np.array([1.0, 2.0, -3.0])), [-1.0, -2.0, 3.0])


def test_calls_out_of_order_are_refused():
    """Rather than read memory that is not there."""
    for most in (0, 1 << 32):
        with pytest.raises(ValueError, match=r"^most must be from 1 to 4096, got \d+$"):
            _core.PairsFloat64(3, most)
    pairs, x = _core.PairsFloat64(3, 2), np.ones(3)
    with pytest.raises(ValueError, match=r"^there is no pair to keep"):
        pairs.keep()
    pairs.add(x, x, 3.0)
    with pytest.raises(ValueError, match=r"^there is no pair to keep"):
        pairs.keep()
    with pytest.raises(ValueError, match=r"^the pairs are not those of begin"):
        pairs.finish(x.copy())


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("n", [1, 50, 5_000])
def test_products_of_entries(n, threads):
    """Against dense rows, whose entries in the same place add up. Rows without entries count nothing."""
    rng = np.random.default_rng(3)
    rows = np.sort(rng.integers(0, n, 6 * n))
    columns, values = rng.integers(0, 11, 6 * n), rng.standard_normal(6 * n)
    curvature, block = rng.random(n), np.zeros((12, 12))
    with st.threads(threads):
        _core.add_products(rows, columns, values, curvature, block)
    X = np.zeros((n, 12))
    np.add.at(X, (rows, columns), values)
    X[:, 11] = 1
    expected = X.T @ (curvature[:, None] * X)
    expected[11, 11] = 0
    np.testing.assert_allclose(block, expected, atol=1e-12 * n)
    np.testing.assert_array_equal(block, block.T)


def test_products_check_their_numbers():
    one = np.zeros(1, np.int64)
    with pytest.raises(ValueError, match=r"rows and columns: expected numbers below 1 and 2, got 0 and 2"):
        _core.add_products(one, one + 2, np.ones(1), np.ones(1), np.zeros((3, 3)))
    with pytest.raises(ValueError, match=r"block: expected a writeable square matrix, got float64 of shape \(2, 3\)"):
        _core.add_products(one, one, np.ones(1), np.ones(1), np.zeros((2, 3)))

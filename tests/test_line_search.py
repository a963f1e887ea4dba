"""The line search beside the rounding of values: what it takes for noise, and what it does not."""

import numpy as np
import pytest

import steepest as st
from steepest.quasi_newton.line_search import Iterate, backtrack
from steepest.quasi_newton.runner import QuasiNewtonRunner


def _iterate(value, norm):
    return Iterate(np.zeros(1), value, np.array([norm]), norm)


def _search(rise, *, norm=0.0, slope=-1e-13, noise=1e-11):
    """Return what is found where every point is higher than the start by `rise`, at a gradient of that norm."""
    return backtrack(
        _iterate(1.0, 1e-6), lambda share: np.full(1, share), slope, lambda w: _iterate(1.0 + rise, norm), noise
    )


def test_a_perfect_step_whose_value_rises_by_rounding_is_taken():
    # The whole step ends where the gradient is 0. It promises 1e-13, below the noise of values, 1e-11; so the rise of
    # 1e-12 says nothing, and the gradient decides.
    found = _search(1e-12)
    assert found is not None
    assert found.norm == 0.0


@pytest.mark.parametrize(
    "options",
    [
        {"rise": 1e-10},  # above the noise
        {"rise": 1e-12, "norm": 1e-6},  # the gradient is no smaller
        {"rise": 1e-12, "noise": 1e-14},  # the noise is less than what the step promises
        {"rise": 1e-3, "slope": -1.0},
    ],
    ids=str,
)
def test_a_step_that_rises_is_not_taken(options):
    assert _search(**options) is None


@pytest.mark.parametrize(("dtype", "rise"), [(np.float64, 1e-12), (np.float32, 1e-4)])
def test_the_noise_of_least_squares_is_that_of_their_scores(dtype, rise):
    # The residuals are 1e-3 of the targets: a score, off by eps of a target, changes a residual by 1e3 eps of it, and
    # the mean of squares, m = 1e-6, by up to 2 * 1e3 eps of it. Four units in the last place of m are less by far.
    random = np.random.default_rng(0)
    X = random.normal(size=(300, 2))
    y = X @ [3.0, -2.0] + 1e-3 * random.normal(size=300)
    objective = st.LeastSquares(X.astype(dtype), y.astype(dtype))
    runner = QuasiNewtonRunner(objective, np.zeros(3, dtype))
    start = runner.evaluate()
    runner.run(np.ones(1), 1.0, None)
    there = runner._iterate
    noise, eps = runner._noise(there), float(np.finfo(dtype).eps)
    assert noise >= 2.0 * eps * np.sqrt(there.value * start.value)
    assert noise >= rise * there.value  # such a relative rise of the loss is rounding
    assert noise <= 16.0 * eps * np.sqrt(there.value * start.value)

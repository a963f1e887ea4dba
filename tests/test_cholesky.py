"""The Cholesky factor that QuasiNewton divides by: against NumPy at every ISA level, the same bits on any threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as strategy

import steepest as st
from steepest import _core
from steepest.quasi_newton.metric import DenseMetric

SIZES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 79, 80, 81, 127, 128, 129, 192, 193, 200, 257]


def hessian_of(n: int, dtype: Any, seed: int = 0) -> Any:
    """Make a positive definite matrix whose columns have units over six decades."""
    random = np.random.default_rng(seed)
    X = random.standard_normal((3 * n + 5, n)) * np.geomspace(1e-3, 1e3, n)
    return (X.T @ X / len(X)).astype(dtype)


def expected(matrix: Any, right: Any, ridge: float) -> Any:
    scale = np.sqrt(np.diag(matrix).astype(np.float64))
    scaled = matrix / np.outer(scale, scale) + ridge * np.eye(len(matrix))
    return np.linalg.solve(scaled, right / scale) / scale


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", SIZES)
def test_follows_numpy(n: int, dtype: Any) -> None:
    matrix, right = hessian_of(n, dtype), np.random.default_rng(n).standard_normal(n)
    for ridge in (0.0, 1e-3):
        factor = _core.Cholesky(matrix, ridge)
        assert factor.definite
        wanted = expected(matrix.astype(np.float64), right, ridge)
        scale = np.sqrt(np.diag(matrix).astype(np.float64))
        np.testing.assert_allclose(factor.solve(right) * scale, wanted * scale, rtol=1e-9, atol=1e-11)


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", [64, 193, 500])
def test_threads_change_no_bit(n: int) -> None:
    matrix, right = hessian_of(n, np.float64), np.ones(n)
    found = []
    for threads in (1, 2, 3, 7):
        with st.threads(threads):
            found.append(_core.Cholesky(matrix, 0.0).solve(right).tobytes())
    assert len(set(found)) == 1


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", SIZES)
def test_many_vectors_at_once(n: int) -> None:
    factor = _core.Cholesky(hessian_of(n, np.float64), 1e-3)
    for k in (1, 2, 7, 8, 9, 17):
        right = np.random.default_rng(k).standard_normal((k, n))
        found, one_by_one = factor.solve_all(right), np.array([factor.solve(row) for row in right])
        np.testing.assert_allclose(found, one_by_one, rtol=1e-9, atol=1e-12 * np.abs(one_by_one).max())
    results = set()
    for threads in (1, 2, 3):
        with st.threads(threads):
            results.add(factor.solve_all(right).tobytes())
    assert len(results) == 1
    assert factor.solve_all(np.empty((0, n))).shape == (0, n)


def test_vectors_of_another_length() -> None:
    factor = _core.Cholesky(np.eye(3), 0.0)
    for right in (np.ones((2, 4)), np.ones(3)):
        with pytest.raises(ValueError, match="right: expected vectors of 3 elements, got"):
            factor.solve_all(right)
    with pytest.raises(ValueError, match="there is no factor"):
        _core.Cholesky(np.ones((3, 3)), 0.0).solve_all(np.ones((1, 3)))


@given(strategy.integers(1, 40), strategy.integers(0, 1000), strategy.floats(-100, 100))
def test_units_do_not_matter(n: int, seed: int, power: float) -> None:
    matrix, right = hessian_of(n, np.float64, seed), np.random.default_rng(seed).standard_normal(n)
    units = np.exp2(np.round(np.random.default_rng(seed + 1).uniform(-abs(power), abs(power), n)))
    plain = _core.Cholesky(matrix, 1e-12).solve(right)
    scaled = _core.Cholesky(matrix * np.outer(units, units), 1e-12).solve(right * units) * units
    np.testing.assert_allclose(scaled, plain, rtol=1e-9, atol=1e-9 * np.abs(plain).max())


def test_only_the_lower_triangle_is_read() -> None:
    matrix, right = hessian_of(90, np.float64), np.ones(90)
    lower = np.tril(matrix) + np.triu(np.full_like(matrix, np.nan), 1)
    np.testing.assert_array_equal(_core.Cholesky(lower, 0.0).solve(right), _core.Cholesky(matrix, 0.0).solve(right))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("n", [2, 70, 300])
def test_a_matrix_that_is_not_definite_has_no_factor(n: int) -> None:
    matrix = hessian_of(n, np.float64)
    matrix[-1] = matrix[0]
    matrix[:, -1] = matrix[:, 0]  # as two columns that are the same give
    for bad in (matrix, np.full((n, n), np.nan), -np.eye(n) + 2 * np.outer(np.ones(n), np.ones(n))):
        factor = _core.Cholesky(bad, 0.0)
        assert not factor.definite
        with pytest.raises(ValueError, match="not definite"):
            factor.solve(np.ones(n))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_column_of_zeros_stays_where_it_is(dtype: Any) -> None:
    matrix = hessian_of(5, dtype)
    matrix[2] = matrix[:, 2] = 0
    metric = DenseMetric(matrix, 1e-6)
    right = np.array([1.0, -2.0, 0.0, 3.0, 0.5])
    found = metric.solve(right)
    assert found[2] == 0.0
    assert metric.matrix[2, 2] > 0
    np.testing.assert_allclose(metric.matrix @ found, right, rtol=1e-6)


def test_two_equal_columns_share_the_step() -> None:
    matrix = np.array([[2.0, 2.0, 0.0], [2.0, 2.0, 0.0], [0.0, 0.0, 1.0]])
    found = DenseMetric(matrix, 0.0).solve(np.array([4.0, 4.0, 3.0]))
    np.testing.assert_allclose(found, [1.0, 1.0, 3.0], rtol=1e-9)


@pytest.mark.parametrize(
    ("matrix", "error"), [(np.ones((2, 3)), ValueError), (np.ones(4), ValueError), (np.ones((2, 2), int), TypeError)]
)
def test_bad_matrices_are_refused(matrix: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        _core.Cholesky(matrix, 0.0)


@pytest.mark.parametrize("right", [np.ones(3), np.ones((2, 1)), np.ones(2, np.float32)])
def test_bad_right_sides_are_refused(right: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="right"):
        _core.Cholesky(np.eye(2), 0.0).solve(right)

"""Least squares of few rows by orthogonal columns in `longdouble`: they have the bits of NumPy's sums."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from steepest import _core

DEPENDENT = 1e-15
SHAPES = [(1, 1), (2, 1), (7, 1), (300, 1), (1, 3), (3, 3), (9, 2), (40, 5), (129, 8), (442, 11), (1000, 16), (9000, 2)]


def numpys(A, y, refinements):
    """Modified Gram-Schmidt, its triangle's inverse and a refined solution, by NumPy."""
    Q, p = A.copy(), A.shape[1]
    R = np.zeros((p, p), np.longdouble)
    norms = np.sqrt((Q * Q).sum(axis=0))
    for j in range(p):
        length = np.sqrt((Q[:, j] * Q[:, j]).sum())
        if not length > DEPENDENT * norms[j]:
            Q[:, j] = 0.0
            continue
        R[j, j] = length
        Q[:, j] /= length
        R[j, j + 1 :] = (Q[:, j, None] * Q[:, j + 1 :]).sum(axis=0)
        Q[:, j + 1 :] -= Q[:, j, None] * R[j, j + 1 :]
    w, residual = np.zeros(p, np.longdouble), y
    for _ in range(1 + refinements):
        rest, right = residual.copy(), np.empty(p, np.longdouble)
        for j in range(p):
            right[j] = (Q[:, j] * rest).sum()
            rest -= right[j] * Q[:, j]
        w = w + back_substituted(R, right)
        residual = y - (A * w).sum(axis=1)
    return R, back_substituted(R, np.eye(p, dtype=np.longdouble)), w


def back_substituted(R, right):
    x = np.zeros_like(right)
    for j in reversed(range(len(right))):
        x[j] = (right[j] - (R[j, j + 1 :] * x[j + 1 :].T).sum(axis=-1)) / R[j, j]
    return x


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_they_have_the_bits_of_numpys_sums(n, p):
    """The expected values are made by NumPy, in the same order of additions."""
    rng = np.random.default_rng(n)
    A, y = rng.standard_normal((n, p)).astype(np.longdouble), rng.standard_normal(n).astype(np.longdouble)
    A /= 3.0  # so that all bits of a longdouble are in use
    with np.errstate(all="ignore"):  # one row has no triangle of three columns
        expected = numpys(A, y, 2)
    found = _core.OrthogonalRows(A, DEPENDENT)
    for own, numpy in zip((found.triangle, found.inverse, found.solve(y, 2)), expected, strict=True):
        assert own.dtype == np.longdouble
        np.testing.assert_array_equal(own, numpy)


def test_powers_of_two_change_no_digit_and_no_square_overflows():
    rng, exponents = np.random.default_rng(0), np.array([0, 900, -900])
    A, y = rng.standard_normal((9, 3)).astype(np.longdouble), rng.standard_normal(9).astype(np.longdouble)
    near, far = (_core.OrthogonalRows(each, DEPENDENT) for each in (A, np.ldexp(A, exponents)))
    np.testing.assert_array_equal(far.lengths, np.ldexp(near.lengths, exponents))
    np.testing.assert_array_equal(far.triangle, np.ldexp(near.triangle, exponents))
    np.testing.assert_array_equal(far.inverse, np.ldexp(near.inverse, -exponents[:, None]))
    np.testing.assert_array_equal(far.solve(y, 2), np.ldexp(near.solve(y, 2), -exponents))
    np.testing.assert_allclose(near.lengths, np.linalg.norm(A.astype(np.float64), axis=0))


def test_a_column_that_depends_on_others_has_zeros():
    A = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, 1.0], [1.0, 2.0, 3.0]], np.longdouble)
    R = _core.OrthogonalRows(A, DEPENDENT).triangle
    assert R[0, 0] > 1.0
    assert not R[1].any()
    assert R[2, 2] > 1.0


def test_the_solution_of_a_hilbert_matrix_is_the_exact_one():
    """Its inverse has integers; the condition of its normal equation, 1e20, is beyond float64."""
    n = 8
    A = np.array([[1.0 / np.longdouble(i + j + 1) for j in range(n)] for i in range(n)], np.longdouble)
    exact = [Fraction(i + 1) for i in range(n)]
    y = np.array([float(sum(Fraction(1, i + j + 1) * exact[j] for j in range(n))) for i in range(n)], np.longdouble)
    w = _core.OrthogonalRows(A, DEPENDENT).solve(y, 2)
    digits = np.finfo(np.longdouble).eps < 1e-18
    assert np.allclose(np.asarray(w, np.float64), np.arange(1.0, n + 1), atol=1e-4 if digits else 1e-2)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _core.OrthogonalRows(np.ones(3, np.longdouble), 0.0), "rows: expected a matrix"),
        (lambda: _core.OrthogonalRows(np.ones((2, 2), np.longdouble), 0.0).solve(np.ones(3, np.longdouble), 1), "of 2"),
    ],
)
def test_wrong_shapes_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

"""Least squares of few rows by orthogonal columns in double-double arithmetic, against NumPy and exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import steepest as st
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


def problem(n, p):
    """Rows and targets in which all bits of a longdouble are in use."""
    rng = np.random.default_rng(n)
    return rng.standard_normal((n, p)).astype(np.longdouble) / 3.0, rng.standard_normal(n).astype(np.longdouble)


def exact_solution(A, y):
    """The solution of the normal equation in fractions, by elimination, in float64."""
    rows = [[fraction(x) for x in row] for row in np.column_stack([A, y])]
    p = A.shape[1]
    system = [[sum(row[i] * row[j] for row in rows) for j in range(p + 1)] for i in range(p)]
    for i in range(p):
        for k in range(p):
            if k != i:
                share = system[k][i] / system[i][i]
                system[k] = [a - share * b for a, b in zip(system[k], system[i], strict=True)]
    return np.array([float(row[p] / row[i]) for i, row in enumerate(system)])


def fraction(x):
    """All digits of a longdouble: those of a float64, and the rest."""
    return Fraction(float(x)) + Fraction(float(x - np.longdouble(float(x))))


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_they_follow_numpy(isa, n, p):
    A, y = problem(n, p)
    with np.errstate(all="ignore"):  # one row has no triangle of three columns
        expected = numpys(A, y, 2)
    found = _core.OrthogonalRows(A, DEPENDENT)
    for own, numpy in zip((found.triangle, found.inverse, found.solve(y, 2)), expected, strict=True):
        assert own.dtype == np.longdouble
        if n >= p:
            np.testing.assert_allclose(own, numpy, rtol=0, atol=200 * np.finfo(np.longdouble).eps * np.abs(numpy).max())


@pytest.mark.parametrize(("n", "p"), SHAPES)
def test_every_level_has_the_same_bits(n, p):
    A, y = problem(n, p)
    before, found = _core.isa_level(), []
    for level in _core.isa_levels_supported():
        _core.choose_isa_level(level)
        own = _core.OrthogonalRows(A, DEPENDENT)
        found.append(np.concatenate([own.triangle.ravel(), own.inverse.ravel(), own.lengths, own.solve(y, 2)]))
    _core.choose_isa_level(before)
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


@pytest.mark.parametrize(("n", "p"), [(5, 1), (9, 3), (40, 6)])
@pytest.mark.parametrize("power", [0, 4, 9])
def test_solutions_have_all_digits_of_float64(isa, n, p, power):
    """The columns are nearly equal: the condition of the normal equation is 10^(2 power)."""
    A, y = problem(n, p)
    A = A[:, :1] + A * np.longdouble(10.0) ** -power
    A[:, 0] = np.asarray(A[:, 0], np.float64)
    found = _core.OrthogonalRows(A, DEPENDENT).solve(y, 2).astype(np.float64)
    digits = np.finfo(np.longdouble).eps < 1e-18
    np.testing.assert_allclose(found, exact_solution(A, y), rtol=1e-15 if digits else 1e-8)


@pytest.mark.parametrize("exponent", [-1000, 1000])
def test_targets_of_any_size_keep_their_digits(exponent):
    A, y = problem(40, 5)
    own = _core.OrthogonalRows(A, DEPENDENT)
    y = y.astype(np.float64).astype(np.longdouble)
    np.testing.assert_array_equal(own.solve(np.ldexp(y, exponent), 2), np.ldexp(own.solve(y, 2), exponent))


def test_numbers_that_are_too_far_apart_are_told():
    """The lower halves of the smallest would underflow. A fit takes NumPy's `longdouble` then."""
    A, y = problem(9, 2)
    A[3, 1] = 1e-300
    assert np.isfinite(_core.OrthogonalRows(A, DEPENDENT).lengths).tolist() == [True, False]
    A, y = problem(9, 2)
    y[2] = 1e-300
    assert np.isnan(_core.OrthogonalRows(A, DEPENDENT).solve(y, 2)).all()


@pytest.mark.skipif(np.finfo(np.longdouble).maxexp < 2000, reason="longdouble reaches no further than float64")
@pytest.mark.parametrize(
    ("targets", "weights"),
    [([1e150, 3e-180], None), ([1.0, 3e-20], [1e300, 1e-300]), ([1.0, 3e-30], [1e300, 1e-300])],
)
def test_fits_to_numbers_far_apart_keep_their_digits(targets, weights):
    weights = None if weights is None else np.array(weights)
    result = st.minimize(st.LeastSquares(np.eye(2), np.array(targets), sample_weight=weights, intercept=False))
    np.testing.assert_allclose(result.w, targets, rtol=1e-15)


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_told(number):
    A, y = problem(9, 2)
    A[3, 1] = number
    own = _core.OrthogonalRows(A, DEPENDENT)
    assert np.isfinite(own.lengths).tolist() == [True, False]
    A, y = problem(9, 2)
    y[2] = number
    assert not np.isfinite(_core.OrthogonalRows(A, DEPENDENT).solve(y, 2)).any()


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

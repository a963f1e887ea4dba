"""The projections: the reference's against their definition, the native ones against the reference's."""

from __future__ import annotations

import itertools
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st_

import steepest as st
from steepest import reference

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
coordinates = st_.one_of(st_.integers(-3, 3).map(float), st_.floats(-1e3, 1e3, width=32))


def vectors(size):
    return st_.lists(coordinates, min_size=size, max_size=size).map(np.array)


@st_.composite
def boxes(draw, size):
    ends = np.sort([draw(vectors(size)), draw(vectors(size))], axis=0)
    lower = np.where(draw(st_.booleans()), -np.inf, ends[0])
    upper = np.where(draw(st_.booleans()), np.inf, ends[1])
    return st.Box(lower, upper)


@st_.composite
def cases(draw):
    """A constraint, a point, and points of the set among which are all corners of a simplex."""
    size = draw(st_.integers(1, 6))
    point, other = draw(vectors(size)), draw(vectors(size))
    if draw(st_.booleans()):
        constraint = st.Simplex(draw(st_.sampled_from([1e-3, 1.0, 7.5, 1e4])))
        return constraint, point, list(constraint.total * np.eye(size))
    constraint = draw(boxes(size))
    lower, upper = constraint.lower, constraint.upper
    corners = [np.where(np.isfinite(end), end, other) for end in (lower, upper)]
    return constraint, point, [np.clip(member, lower, upper) for member in (other, *corners)]


def within(constraint, w, tolerance):
    if isinstance(constraint, st.Box):
        return (w >= constraint.lower).all() and (w <= constraint.upper).all()
    return (w >= 0).all() and abs(w.sum() - constraint.total) <= tolerance


@given(cases())
def test_a_projection_is_the_nearest_point(case):
    constraint, point, members = case
    before = point.copy()
    nearest = constraint.project(point)
    tolerance = 1e-13 * max(np.abs(point).max(), np.abs(nearest).max())
    assert within(constraint, nearest, tolerance)
    np.testing.assert_array_equal(point, before)
    np.testing.assert_allclose(constraint.project(nearest), nearest, rtol=0, atol=tolerance)
    for member in members:  # what makes the nearest point of a convex set
        away, along = point - nearest, member - nearest
        assert away @ along <= 10 * tolerance * (np.linalg.norm(away) + np.linalg.norm(along))


@given(st_.integers(1, 6).flatmap(vectors), st_.sampled_from([1e-3, 1.0, 7.5]))
def test_a_simplex_agrees_with_every_support_tried(point, total):
    exact, candidates = [Fraction(v) for v in point], []
    for inside in itertools.product([False, True], repeat=point.size):
        if any(inside):
            lower = (sum(itertools.compress(exact, inside)) - Fraction(total)) / sum(inside)
            candidate = [v - lower if kept else Fraction(0) for v, kept in zip(exact, inside, strict=True)]
            if min(candidate) >= 0:
                distance = sum((c - v) ** 2 for c, v in zip(candidate, exact, strict=True))
                candidates.append((distance, candidate))
    nearest = np.array(min(candidates)[1], dtype=float)
    tolerance = 1e-13 * max(1.0, np.abs(point).max())
    np.testing.assert_allclose(reference.project_simplex(point, total), nearest, rtol=0, atol=tolerance)


@given(st_.integers(1, 6).flatmap(lambda size: st_.tuples(boxes(size), vectors(size), vectors(size))))
def test_a_projection_brings_points_no_further_apart(case):
    box, a, b = case
    for constraint in (box, st.Simplex(3.0)):
        apart = np.linalg.norm(constraint.project(a) - constraint.project(b))
        assert apart <= np.linalg.norm(a - b) + 1e-12 * max(np.abs(a).max(), np.abs(b).max(), 1.0)


@each_dtype
@pytest.mark.parametrize("constraint", [st.Box(-0.1, 0.3), st.Box([-0.1] * 3, np.inf), st.Simplex(2.0)], ids=repr)
def test_an_intercept_and_the_dtype_stay(dtype, constraint):
    w = np.array([0.7, -0.3, 0.2, 9.0], dtype)
    nearest = constraint.project(w, intercept=True)
    assert nearest.dtype == dtype
    assert nearest[3] == 9.0
    np.testing.assert_array_equal(nearest[:3], constraint.project(w[:3]))


def test_bounds_of_the_intercept_too():
    box = st.Box([0.0, 0.0, -1.0], np.inf)
    np.testing.assert_array_equal(box.project(np.array([-1.0, 2.0, -3.0]), intercept=True), [0.0, 2.0, -1.0])


def test_large_numbers_keep_their_digits():
    np.testing.assert_array_equal(st.Simplex().project(np.array([1e9, 1e9 + 0.5, 0.0])), [0.25, 0.75, 0.0])


# Native: with X the unit matrix one step of this rate leads to y


def one_step(y, constraint, start):
    objective = st.LeastSquares(np.eye(y.size, dtype=y.dtype), y, intercept=False)
    return st.minimize(objective, start, st.GradientDescent(y.size / 2), constraint=constraint, max_epochs=1).w


def hard_points(size):
    rng = np.random.default_rng(size)
    ramp = np.linspace(-1, 1, size)
    return {
        "normal": rng.standard_normal(size),
        "equal": np.full(size, 0.3),
        "far": 100.0 + rng.standard_normal(size),
        "geometric": -(1.5 ** -np.arange(size)),
        "ramp": rng.permutation(ramp),
        "sparse": np.where(np.arange(size) == size // 2, 5.0, ramp / 1e3),
    }


@each_dtype
@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 31, 32, 33, 257])
def test_native_projections_are_the_reference(isa, dtype, size):
    for name, point in hard_points(size).items():
        y = point.astype(dtype)
        atol = 4 * np.finfo(dtype).eps * max(1.0, np.abs(y).max())
        lower = np.linspace(-0.5, 0.1, size)
        for low, high in ((lower, 0.4), (0.0, np.inf), (-np.inf, lower + 0.1), (0.2, 0.2)):
            expected = reference.project_box(y, low, high)
            np.testing.assert_allclose(one_step(y, st.Box(low, high), None), expected, rtol=0, atol=atol, err_msg=name)
        for total in (0.01, 1.0, 30.0):
            expected = reference.project_simplex(y, total)
            w = one_step(y, st.Simplex(total), None)
            np.testing.assert_allclose(w, expected, rtol=0, atol=atol * max(1, total), err_msg=f"{name}, {total}")
            assert (w >= 0).all()


def test_slow_thresholds_are_found():
    """A point made so that each pass of Newton's method drops one element."""
    total, kept = 1.0, [0.0, 0.0]
    sums, excess = 0.0, 1e-15
    while kept[-1] > -total and len(kept) < 30:
        n = len(kept)
        average = (sums - total) / n
        kept.append(average * n * (1 + excess) / (n - excess) if excess < n else -np.inf)
        sums += kept[-1]
        excess *= n + 1
    point = np.array(kept[:-1])
    assert point.size > 10
    np.testing.assert_allclose(one_step(point, st.Simplex(), None), reference.project_simplex(point), atol=1e-14)


# The constraints as values


def test_constraints_compare_and_print():
    equal = [st.Box(0, 1), st.Box(-0.0, 1.0)], [st.Box([0, 1], 2), st.Box(np.array([0.0, 1.0]), 2.0)]
    for a, b in (*equal, (st.Simplex(), st.Simplex(1))):
        assert (a, hash(a)) == (b, hash(b))
        assert pickle.loads(pickle.dumps(a)) == a
    assert len({st.Box(0, 1), st.Box(0, 2), st.Box([0], [1]), st.Simplex(), st.Simplex(2.0)}) == 5
    assert repr(st.Box(0, [1, np.inf])) == "Box(lower=0.0, upper=[ 1., inf])"
    assert repr(st.Simplex(2)) == "Simplex(total=2.0)"
    with pytest.raises(AttributeError):
        st.Box(0, 1).lower = 2.0
    with pytest.raises(ValueError, match="read-only"):
        st.Box([0, 1], 2).lower[0] = 5.0


def test_bounds_are_copied():
    lower = np.zeros(2)
    box = st.Box(lower, 1)
    lower[0] = 0.5
    assert box == st.Box([0, 0], 1)


BAD_BOXES = [
    (np.nan, 1, ValueError, r"lower.*nan"),
    (0, [1, np.nan], ValueError, r"upper.*nan"),
    (np.inf, np.inf, ValueError, r"lower.*inf"),
    (-np.inf, -np.inf, ValueError, r"upper.*-inf"),
    (2, 1, ValueError, r"lower.*at most upper.*2 and 1"),
    ([0, 3], [1, 2], ValueError, r"3 and 2 at index 1"),
    (0, [1, -1], ValueError, r"0 and -1 at index 1"),
    ([0, 0], [1, 1, 1, 1], ValueError, r"upper.*2.*4"),
    ([[0, 0]], 1, ValueError, r"lower.*one dimension.*\(1, 2\)"),
    ([], 1, ValueError, r"lower.*\(0,\)"),
    ("0", 1, TypeError, r"lower.*str"),
    (0, None, TypeError, r"upper.*None"),
    (0, 1j, TypeError, r"upper.*complex"),
    (False, True, TypeError, r"lower.*bool"),
]


@pytest.mark.parametrize(("lower", "upper", "error", "message"), BAD_BOXES)
def test_bad_bounds_are_named(lower, upper, error, message):
    with pytest.raises(error, match=message):
        st.Box(lower, upper)


@pytest.mark.parametrize("total", [0, -1.0, np.nan, np.inf, "1", None, True])
def test_bad_totals_are_named(total):
    with pytest.raises((TypeError, ValueError), match="total"):
        st.Simplex(total)


BAD_POINTS = [[0.5], np.zeros(2, int), np.zeros((2, 1)), np.zeros(0), np.array([0.0, np.nan]), np.array([np.inf, 0.0])]


@pytest.mark.parametrize("constraint", [st.Box(0, 1), st.Simplex()], ids=repr)
@pytest.mark.parametrize("w", BAD_POINTS, ids=repr)
def test_bad_points_are_named(constraint, w):
    with pytest.raises((TypeError, ValueError), match="w must"):
        constraint.project(w)


def test_what_does_not_fit_the_parameters_is_named():
    with pytest.raises(ValueError, match=r"upper.*\(3,\).*w.*\(2,\)"):
        st.Box(0, [1, 1]).project(np.zeros(3))
    with pytest.raises(ValueError, match=r"lower.*float32"):
        st.Box(1e300, np.inf).project(np.zeros(3, np.float32))
    for total in (1e300, 1e-60):
        with pytest.raises(ValueError, match=r"total.*float32"):
            st.Simplex(total).project(np.zeros(3, np.float32))

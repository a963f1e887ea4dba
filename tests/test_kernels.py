"""Every pass over X against the NumPy reference: ISA levels, dtypes, orders, odd sizes, extreme scores, threads."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, Problem, each_loss
from steepest import _core, reference

SIZES = [1, 7, 8, 9, 31, 32, 33, 1000]
SETTINGS = [
    {},
    {"intercept": False, "weighted": True},
    {"weighted": True, "alpha": 0.3, "l1_ratio": 0.4},
]
BIG = [(3000, 1000), (200_000, 7), (20, 70_000), (40_000, 100)]  # several chunks, several panels, wide blocks
EDGES = [
    1,
    2,
    5,
    6,
    12,
    15,
    16,
    30,
    31,
    32,
    46,
    47,
    48,
    95,
    96,
    97,
    190,
    191,
    192,
    193,
]  # of a Hessian's tiles, rows and panels
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-14}  # of the largest element, four times as much where sums are long
METHODS = ["value", "value_and_gradient", "hessian_product", "hessian", "native.value_gradient_and_hessian"]

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_order = pytest.mark.parametrize("order", ["C", "F"])


def fenced(array, offset=1):
    """A read-only copy, `offset` elements off the start of a buffer of NaN: nothing beyond it may be used."""
    buffer = np.full(array.size + offset + 64, np.nan, array.dtype)
    part = buffer[offset : offset + array.size]
    copy = part.reshape(array.shape, order="F" if array.flags.f_contiguous else "C")
    copy[...] = array
    buffer.flags.writeable = copy.flags.writeable = False
    return copy


@lru_cache(maxsize=len(SIZES))
def data_of(loss, n, d, dtype):
    return Problem(loss, n, d, dtype=dtype, weighted=True).data


def arrays_of(problem):
    X, y, s = data_of(problem.loss, problem.n, problem.d, problem.dtype)
    return np.asarray(X, order=problem.order), y, s if problem.weighted else None


def options_of(problem):
    return {"intercept": problem.intercept, "alpha": problem.alpha, "l1_ratio": problem.l1_ratio}


def objective_of(problem, offset=1):
    X, y, s = (None if array is None else fenced(array, offset) for array in arrays_of(problem))
    return LOSSES[problem.loss][0](X, y, sample_weight=s, **options_of(problem))


def point_of(problem):
    """Parameters whose scores are moderate: large ones magnify the rounding of their sums."""
    return (problem.w0 / np.sqrt(problem.d)).astype(problem.dtype)


def direction_of(problem):
    return np.cos(np.arange(problem.w0.size)).astype(problem.dtype)


class Expected(NamedTuple):
    value: float
    gradient: Any
    product: Any


@lru_cache(maxsize=len(SIZES) * len(SETTINGS))
def expected_of(problem):
    """The reference's answers, asked for with order "C": they are the same for every order."""
    X, y, s = arrays_of(problem)
    w, v = point_of(problem).astype(float), direction_of(problem).astype(float)
    value, gradient = getattr(reference, problem.loss)(X, y, w, sample_weight=s, **options_of(problem))
    z, u = (X @ p[: problem.d] + (p[-1] if problem.intercept else 0.0) for p in (w, v))
    s = np.ones(problem.n) if s is None else s.astype(float)
    curvature = LOSSES[problem.loss].formula.curvature(z, y)
    r = s * u * curvature / s.sum()
    product = np.append(X.T @ r, r.sum()) if problem.intercept else X.T @ r
    return Expected(value, gradient, product + problem.alpha * (1 - problem.l1_ratio) * problem.penalised * v)


@lru_cache(maxsize=len(SIZES) * len(SETTINGS))
def hessian_of(problem):
    X, y, s = arrays_of(problem)
    reference_of = getattr(reference, f"{problem.loss}_hessian")
    return reference_of(X, y, point_of(problem), sample_weight=s, **options_of(problem))


def assert_close(actual, expected, problem, size=0.0):
    """`size` is that of numbers whose difference the results are."""
    expected = np.asarray(expected)
    size = max(size, np.abs(expected).max())
    tolerance = TOLERANCE[problem.dtype] * size * (4 if problem.n * problem.d > 10**6 or problem.d > 4000 else 1)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, err_msg=str(problem))


@lru_cache(maxsize=len(SIZES) * len(SETTINGS))
def slopes_of(problem):
    """For counts, a tenth of the gradient of the targets alone: few rows may have slopes that cancel."""
    if problem.loss != "poisson":
        return 0.0
    X, y, s = arrays_of(problem)
    return 0.1 * np.abs(np.average(np.abs(X) * np.abs(y)[:, None], axis=0, weights=s)).max()


def check_passes(problem, objective):
    w, v = point_of(problem), direction_of(problem)
    expected = expected_of(replace(problem, order="C"))
    value, gradient = objective.value_and_gradient(w)
    product = objective.hessian_product(w, v)
    for result in (gradient, product):
        assert (result.shape, result.dtype) == (w.shape, w.dtype)
    assert_close(objective.value(w), expected.value, problem)
    assert_close(value, expected.value, problem)
    assert_close(gradient, expected.gradient, problem, slopes_of(replace(problem, order="C")))
    assert_close(product, expected.product, problem)


def check_hessian(problem, objective):
    hessian = objective.hessian(point_of(problem))
    assert (hessian.shape, hessian.dtype) == ((problem.w0.size,) * 2, problem.dtype)
    assert_close(hessian, hessian_of(replace(problem, order="C")), problem)
    value, gradient, same = objective.native.value_gradient_and_hessian(point_of(problem))
    assert (gradient.dtype, same.tobytes()) == (problem.dtype, hessian.tobytes())
    expected = expected_of(replace(problem, order="C"))
    assert_close(value, expected.value, problem)
    assert_close(gradient, expected.gradient, problem, slopes_of(replace(problem, order="C")))


# Against the reference


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_order
@pytest.mark.parametrize("rows", SIZES)
@each_dtype
@each_loss
def test_follows_the_reference(isa, loss, dtype, rows, order):  # levels vary fastest: the reference is asked once
    for columns in SIZES:
        for setting in SETTINGS:
            problem = Problem(loss, rows, columns, order, dtype, **setting)
            objective = objective_of(problem)
            check_passes(problem, objective)
            if columns < 1000 or (rows, setting) == (33, SETTINGS[-1]):
                check_hessian(problem, objective)


@each_order
@pytest.mark.parametrize("shape", BIG)
@each_dtype
@each_loss
def test_follows_the_reference_over_many_chunks(loss, dtype, shape, order):
    problem = Problem(loss, *shape, order, dtype, weighted=True, alpha=0.3, l1_ratio=0.4)
    with st.threads(3):
        check_passes(problem, objective_of(problem))


WIDE = 16384 // 4 + 7  # float32: blocks of a column-major X have 1024 rows, not 128; tiles of 4, 2 and 1


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("shape", [(1, 303), *((8 * n, 303) for n in (511, 512, 513)), (9 * 1031, 303)])
@each_dtype
@pytest.mark.parametrize("loss", ["least_squares", "logistic"])
def test_columns_at_the_edges_of_blocks(isa, loss, dtype, shape):  # in 8 or 9 chunks
    problem = Problem(loss, *shape, "F", dtype, weighted=True, alpha=0.3)
    check_passes(problem, objective_of(problem))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("rows", [8 * 127, 8 * 128, 9 * 191, 9 * 192 + 1, 9 * 193, 9 * 320])  # in 8 or 9 chunks
@each_dtype
def test_columns_at_the_edges_of_short_blocks(isa, dtype, rows):  # of 128 rows and 64; of 512 where columns share sets
    problem = Problem("logistic", rows, 2003, "F", dtype, weighted=True, alpha=0.3)
    check_passes(problem, objective_of(problem))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("shape", [(200, 4001), (383, 1501), (385, 1501), (1024, 1024), (1000, 1003)])
@each_dtype
def test_columns_that_the_caches_hold(isa, dtype, shape):  # float32; chunks of some 256 rows, or two
    problem, results = Problem("huber", *shape, "F", dtype, weighted=True, alpha=0.3), []
    objective = objective_of(problem)
    check_passes(problem, objective)
    for threads in (1, 2, 3, 8):
        with st.threads(threads):
            results.append(dict(results_of(objective, problem, METHODS[:3])))
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("rows", [31, 9 * 1041])  # 9 chunks
def test_wide_columns(isa, rows):
    problem = Problem("logistic", rows, WIDE, "F", np.float32, weighted=True)
    objective, results = objective_of(problem), []
    check_passes(problem, objective)
    for threads in (1, 2, 3):
        with st.threads(threads):
            results.append(dict(results_of(objective, problem, METHODS[:3])))
    assert all(result == results[0] for result in results)


@each_order
@each_dtype
@each_loss
def test_hessian_over_many_chunks_and_panels(loss, dtype, order):
    for shape in [(20_000, 33), (300, 600), (400_000, 7)]:
        problem = Problem(loss, *shape, order, dtype, weighted=True, alpha=0.3)
        with st.threads(3):
            check_hessian(problem, objective_of(problem))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_order
@pytest.mark.parametrize("columns", EDGES)
@each_dtype
@each_loss
def test_hessian_at_the_edges_of_tiles_and_panels(isa, loss, dtype, columns, order):
    for setting in SETTINGS:
        problem = Problem(loss, 100, columns, order, dtype, **setting)
        check_hessian(problem, objective_of(problem))


@each_order
@each_dtype
@each_loss
@pytest.mark.parametrize("offset", range(4))
def test_any_alignment_gives_the_same_bits(isa, loss, dtype, order, offset):
    problem = Problem(loss, 100, 37, order, dtype, weighted=True)
    aligned, shifted = (dict(results_of(objective_of(problem, o), problem)) for o in (0, offset))
    assert aligned == shifted


@each_order
def test_data_are_used_in_place_and_never_written(order):
    problem = Problem("logistic", 500, 11, order, weighted=True, alpha=0.1, l1_ratio=0.5)
    objective = objective_of(problem)  # of read-only arrays
    X, y, s = arrays_of(problem)
    check_passes(problem, objective)
    check_hessian(problem, objective)
    for batch_size in (None, 1, 32):
        st.minimize(objective, batch_size=batch_size, max_epochs=2)
    for attribute, original in ((objective.X, X), (objective.y, y), (objective.sample_weight, s)):
        np.testing.assert_array_equal(attribute, original)
        assert np.isnan(attribute.base).sum() == 65  # the fence


@each_loss
@each_dtype
@each_order
@pytest.mark.parametrize("at", [0, 5, 99, 100])
def test_a_nan_is_never_swallowed(isa, loss, dtype, order, at):
    X, y, _ = Problem(loss, 101, 9, order, dtype).data
    X[at, at % 9] = np.nan
    objective = LOSSES[loss][0](X, y)
    value, gradient = objective.value_and_gradient(np.ones(10, dtype))
    assert np.isnan([value, objective.value(np.ones(10, dtype)), gradient[at % 9], gradient[9]]).all()


# Formulas


@each_order
@each_dtype
def test_extreme_scores_neither_overflow_nor_cancel(isa, dtype, order):
    z = np.concatenate([[0.0], *(sign * np.logspace(-6, 4, 60) for sign in (1, -1))]).astype(dtype)
    for label in (0, 1):
        y = np.full(z.size, label, dtype)
        losses, slopes = np.empty(z.size), np.empty(z.size)
        for i in range(z.size):  # a row at a time, the others with weight 0: any infinity among them would show
            only = np.zeros(z.size, dtype)
            only[i] = 1
            X = np.array([z, z]).T.copy(order=order)
            objective = st.Logistic(X, y, sample_weight=only)
            losses[i], gradient = objective.value_and_gradient(np.array([0.75, 0.25, 0.0], dtype))
            slopes[i] = gradient[2]
            assert objective.value(np.array([0.75, 0.25, 0.0], dtype)) == losses[i]
        m = z.astype(float) * (1 - 2 * label)
        with np.errstate(under="ignore"):
            small = np.exp(-np.abs(m))
            slope = (1 - 2 * label) * np.where(m > 0, 1, small) / (1 + small)
            loss = np.logaddexp(0, m)
        tolerance = {"rtol": 4 * np.finfo(dtype).eps, "atol": 8 * np.finfo(dtype).tiny}
        np.testing.assert_allclose(losses, loss, **tolerance)
        np.testing.assert_allclose(slopes, slope, **tolerance)


@each_loss
@pytest.mark.parametrize("setting", SETTINGS)
def test_finite_differences(isa, loss, setting):
    problem = Problem(loss, 40, 9, **setting)
    objective, w, v, h = objective_of(problem), point_of(problem), direction_of(problem), 1e-5
    units = np.eye(w.size)
    slopes = [(objective.value(w + h * e) - objective.value(w - h * e)) / (2 * h) for e in units]
    l1 = problem.alpha * problem.l1_ratio * problem.penalised * np.sign(w)  # in the value but not in the gradient
    np.testing.assert_allclose(objective.gradient(w) + l1, slopes, atol=1e-8)
    change = (objective.gradient(w + h * v) - objective.gradient(w - h * v)) / (2 * h)
    np.testing.assert_allclose(objective.hessian_product(w, v), change, atol=1e-8)
    changes = [(objective.gradient(w + h * e) - objective.gradient(w - h * e)) / (2 * h) for e in units]
    np.testing.assert_allclose(objective.hessian(w), changes, atol=1e-8)


# The same bits


def results_of(objective, problem, methods=METHODS):
    w, v = point_of(problem), direction_of(problem)
    for method in methods:
        result = attrgetter(method)(objective)(*((w, v) if method == "hessian_product" else (w,)))
        parts = result if isinstance(result, tuple) else (result,)
        yield method, [np.asarray(part).tobytes() for part in parts]


@each_order
@each_dtype
@each_loss
@pytest.mark.parametrize("shape", [(20_001, 17), (400, 150), (41, 9001)])
def test_same_bits_for_any_number_of_threads(loss, dtype, order, shape):
    problem = Problem(loss, *shape, order, dtype, weighted=True, alpha=0.3)
    objective, results = objective_of(problem), []
    methods = METHODS if shape[1] < 1000 else METHODS[:-2]
    for threads in (1, 2, 3, 4, 8, 8):
        with st.threads(threads):
            results.append(dict(results_of(objective, problem, methods)))
    assert all(result == results[0] for result in results)


def test_row_order_is_the_same_at_every_level(isa):
    orders = [_core.row_order(n, 7, 3).tobytes() for n in (20, 5000, 70_001)]
    _core.choose_isa_level(_core.isa_levels_supported()[0])
    assert orders == [_core.row_order(n, 7, 3).tobytes() for n in (20, 5000, 70_001)]


@each_dtype
@pytest.mark.parametrize("size", [*SIZES, 300_001])
def test_read_sum(isa, dtype, size):
    array = fenced(np.random.default_rng(0).random(size).astype(dtype))
    assert _core.read_sum(array) == pytest.approx(array.sum(dtype=float), rel=2e-6 if dtype is np.float32 else 1e-13)

"""A narrow X against the NumPy reference on the same numbers in float32: every pass, level, order and odd size."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, RULES, assert_follows, each_loss, each_rule, run
from steepest import _core
from steepest.arrays.device import BFLOAT16, numpy_dtype
from storages import FORMATS, LARGEST, NARROW, bits_dtype, bits_of, unit_of, values_of
from stored_problems import (
    SETTINGS,
    SIZES,
    Stored,
    expected_of,
    fenced,
    hessian_of,
)

BIG = [(3000, 1000), (200_000, 7), (20, 70_000), (40_000, 100)]  # several chunks, wide blocks
TOLERANCE = 2e-6  # of the largest element
LONG = {name: 4 if name in FORMATS else 16 for name in NARROW}  # times as much where sums are long; uint8 has no signs

each_order = pytest.mark.parametrize("order", ["C", "F"])
each_storage = pytest.mark.parametrize("storage", NARROW)
each_float = pytest.mark.parametrize("storage", [name for name in NARROW if name in FORMATS])


def assert_close(actual, expected, problem):
    expected = np.asarray(expected)
    # A slope is the difference of a mean and a count, which is small beside them if there is one row.
    least = 1.0 if problem.loss == "poisson" and problem.n == 1 else 0.0
    long = problem.n * problem.d > 10**6 or problem.d > 4000
    tolerance = TOLERANCE * max(np.abs(expected).max(), least) * (LONG[problem.storage] if long else 1)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, err_msg=str(problem))


def check_passes(problem, with_hessian=False):
    objective, w = problem.objective, problem.w0
    expected = expected_of(replace(problem, order="C"))
    value, gradient = objective.value_and_gradient(w)
    product = objective.hessian_product(w, problem.direction)
    assert gradient.dtype == product.dtype == np.float32
    assert_close(objective.value(w), expected.value, problem)
    assert_close(value, expected.value, problem)
    assert_close(gradient, expected.gradient, problem)
    assert_close(product, expected.product, problem)
    if with_hessian:
        assert_close(objective.hessian(w), hessian_of(replace(problem, order="C")), problem)


# Against the reference


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_order
@pytest.mark.parametrize("rows", SIZES)
@each_storage
@each_loss
def test_follows_the_reference(isa, loss, storage, rows, order):  # levels vary fastest: the reference is asked once
    for columns in SIZES:
        for setting in SETTINGS:
            check_passes(Stored(loss, rows, columns, order, storage=storage, **setting), columns <= 129)


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("rows", [1023, 1024, 1039])  # of a chunk, of which there are 9
@each_storage
def test_columns_at_the_edges_of_blocks(isa, storage, rows):
    check_passes(Stored("logistic", 9 * rows, 303, "F", storage=storage, weighted=True, alpha=0.3))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("rows", [1030, 1540])  # of a chunk, of which there are 9, in blocks of 1024 rows
@each_storage
def test_many_columns_at_the_edges_of_blocks(isa, storage, rows):
    check_passes(Stored("logistic", 9 * rows, 803, "F", storage=storage, weighted=True, alpha=0.3))


@pytest.mark.parametrize("rows", [31, pytest.param(18_477, marks=pytest.mark.slow)])  # one chunk, and several
def test_wide_columns(rows):
    check_passes(Stored("logistic", rows, (8 << 20) // (1024 * 2) + 7, "F", storage="float16", weighted=True))


@each_order
@pytest.mark.parametrize("shape", BIG)
@each_storage
@each_loss
def test_follows_the_reference_over_many_chunks(loss, storage, shape, order):
    with st.threads(3):
        check_passes(Stored(loss, *shape, order, storage=storage, weighted=True, alpha=0.3), shape[1] == 7)


@each_order
@each_storage
@pytest.mark.parametrize("n", [1, 32])
def test_every_finite_number_is_widened_exactly(isa, storage, order, n):
    """Subnormals too: with w = 0 and y = 1 the gradient is -2 / n times the one number in each column."""
    bits = np.arange(256 ** bits_dtype(storage).itemsize).astype(bits_dtype(storage))
    largest = min(LARGEST[storage], 1e38)  # twice as much overflows
    bits = bits[np.abs(np.nan_to_num(values_of(bits, storage), nan=np.inf)) <= largest]
    columns = np.arange(bits.size)
    whole = np.zeros((n, bits.size), bits.dtype)
    whole[columns % n, columns] = bits
    objective = st.LeastSquares(fenced(whole, storage, order), np.ones(n, np.float32), intercept=False)
    gradient = objective.gradient(np.zeros(bits.size, np.float32))
    np.testing.assert_array_equal(gradient, values_of(bits, storage) * np.float32(-2 / n))


@each_loss
@each_float
@each_order
@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("at", [0, 5, 99, 100])
def test_infinity_and_nan_are_never_swallowed(isa, loss, storage, order, which, at):
    bits, _, y, _ = Stored(loss, 101, 37, storage=storage).numbers
    bits = bits.copy()
    bits[at, at % 37] = FORMATS[storage].special[which]
    objective = LOSSES[loss][0](fenced(bits, storage, order), y)
    value, gradient = objective.value_and_gradient(np.ones(38, np.float32))
    assert not np.isfinite(gradient[at % 37])
    if which >= 2:
        assert np.isnan([value, objective.value(np.ones(38, np.float32)), gradient[at % 37], gradient[37]]).all()


# Runs


@each_rule
@pytest.mark.parametrize("batch_size", [1, 7, None])
def test_minimize_follows_the_reference(isa, rule, batch_size):
    for storage in NARROW:
        options = {"d": 33, "weighted": True, "alpha": 0.2, "l1_ratio": 0.4, "storage": storage}
        expected = Stored("logistic", **options).path(rule, 2, batch_size)
        for order in ("C", "F"):
            problem = Stored("logistic", order=order, **options)
            assert_follows(run(problem, rule.make(), 2, batch_size=batch_size).path, expected, 2e-5)


@each_storage
@each_order
@pytest.mark.parametrize("d", [1, 7, 17])
def test_batches_of_narrow_rows_follow_the_reference(isa, storage, order, d):
    problem = Stored(n=100, d=d, order=order, weighted=True, storage=storage)
    rule = RULES[0]._replace(keywords={"learning_rate": 0.05 / unit_of(storage) ** 2})
    for batch_size in (1, 33):
        path = run(problem, rule.make(), 2, batch_size=batch_size).path
        assert_follows(path, problem.path(rule, 2, batch_size), 2e-5)


# The same bits


def results_of(problem):
    objective, w, v = problem.objective, problem.w0, problem.direction
    value, gradient = objective.value_and_gradient(w)
    yield from (value, objective.value(w), gradient.tobytes(), objective.hessian_product(w, v).tobytes())
    if problem.d < 1000:
        yield objective.hessian(w).tobytes()
    yield st.minimize(objective, w, batch_size=32, max_epochs=1, random_state=0).w.tobytes()


@each_order
@each_storage
@pytest.mark.parametrize("shape", [(20_001, 17), (400, 150), (41, 9001)])
def test_same_bits_for_any_number_of_threads(storage, order, shape):
    problem, results = Stored("logistic", *shape, order, weighted=True, alpha=0.3, storage=storage), []
    for threads in (1, 2, 3, 8):
        with st.threads(threads):
            results.append(list(results_of(problem)))
    assert all(result == results[0] for result in results)


@each_order
@each_storage
def test_any_alignment_gives_the_same_bits(isa, storage, order):
    first, *others = (
        list(results_of(Stored("logistic", 100, 37, order, storage=storage, offset=o))) for o in (0, 1, 3)
    )
    assert all(other == first for other in others)


# What an objective holds


@each_storage
def test_attributes(storage):
    problem = Stored(n=6, d=3, storage=storage)
    objective = problem.objective
    assert objective.dtype == np.float32
    assert objective.X.dtype == numpy_dtype(storage)
    assert repr(objective) == f"LeastSquares(6 x 3 {storage})"
    copy = pickle.loads(pickle.dumps(objective))
    assert copy.value(problem.w0) == objective.value(problem.w0)
    X, y, _ = problem.data
    result = st.minimize(objective, max_epochs=2, validation=(X, y))
    assert result.w.dtype == np.float32
    np.testing.assert_allclose(result.history["validation_loss"], result.history["loss"], rtol=1e-5)


def test_data_are_used_in_place():
    X, y, _ = Stored().data
    X, w = X.astype(np.float16), np.ones(6, np.float32)
    objective = st.LeastSquares(X, y)
    before = objective.value(w)
    X *= 2
    assert objective.value(w) == st.LeastSquares(X.copy(), y).value(w) != before


def test_ml_dtypes_bfloat16():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    problem = Stored(storage="bfloat16")
    X, y, _ = problem.data
    objective = st.LeastSquares(X.astype(ml_dtypes.bfloat16), y)
    assert objective.gradient(problem.w0).tobytes() == problem.objective.gradient(problem.w0).tobytes()


@each_storage
def test_targets_and_weights_are_float32(storage):
    X = fenced(np.zeros((4, 2), bits_dtype(storage)), storage)
    y = np.zeros(4, np.float32)
    for name in ("y", "sample_weight"):
        for bad in (np.ones(4), np.ones(4, np.float16)):
            expected = rf"^{name} must be .*float32 .*{storage} X.*got {bad.dtype}.*{name}.astype\(np.float32\)"
            with pytest.raises(TypeError, match=expected):
                st.LeastSquares(X, **{"y": y, name: bad})
    with pytest.raises(TypeError, match=r"^w must be .*float32.*float16"):
        st.LeastSquares(X, y).value(np.zeros(3, np.float16))
    with pytest.raises(TypeError, match=r"^w0 must be .*float32.*float64"):
        st.minimize(st.LeastSquares(X, y), np.zeros(3))


@pytest.mark.parametrize("dtype", [">f2", [("bfloat16", ">u2")], [("half", "<u2")], np.uint16, np.longdouble])
def test_what_is_no_storage_is_named(dtype):
    with pytest.raises(TypeError, match=r"^X must be .*float16.*got .* of shape \(4, 2\).*astype"):
        st.LeastSquares(np.zeros((4, 2), dtype), np.zeros(4, np.float32))


def test_the_name_in_messages():
    with pytest.raises(ValueError, match=r"^X must be .*got bfloat16 of shape \(4,\)"):
        st.LeastSquares(np.zeros(4, BFLOAT16), np.zeros(4, np.float32))


@each_storage
@pytest.mark.parametrize("size", [*SIZES, 300_001])
def test_read_sum(isa, storage, size):
    bits = bits_of(np.random.default_rng(0).random(size), storage)
    expected = values_of(bits, storage).sum(dtype=float)
    assert _core.read_sum(fenced(bits, storage)) == pytest.approx(expected, rel=2e-6)

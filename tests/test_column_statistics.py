"""Mean and deviation of the columns of X against exact ones: storages, orders, weights, large means, threads."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

import steepest as st
from steepest.objectives.scaling import column_statistics
from storages import STORAGES, rounded
from test_kernels import fenced

SHAPES = [(1, 1), (2, 3), (255, 7), (257, 33), (2050, 5), (3, 3000), (70_001, 11), (5000, 150)]

each_order = pytest.mark.parametrize("order", ["C", "F"])
each_storage = pytest.mark.parametrize("storage", STORAGES)


def exact(values, weight=None):
    """By two passes in extended precision."""
    values = values.astype(np.longdouble)
    weight = np.ones(len(values)) if weight is None else weight.astype(np.longdouble)
    mean = weight @ values / weight.sum()
    return mean.astype(float), np.sqrt(weight @ (values - mean) ** 2 / weight.sum()).astype(float)


def assert_close(found, expected, tolerance=1e-12):
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.dtype == np.float64
        np.testing.assert_array_less(np.abs(ours - theirs), tolerance * (np.abs(theirs) + expected[1]) + 1e-300)


@each_storage
@each_order
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_follows_two_passes(storage, order, shape, weighted):
    rng = np.random.default_rng(0)
    stored, values = rounded(rng.standard_normal(shape) * np.exp(rng.standard_normal(shape[1])) + 2, storage)
    weight = rng.uniform(0, 3, shape[0]).astype(values.dtype) if weighted else None
    X = np.asarray(stored, order=order)
    X = fenced(X) if X.dtype.kind == "f" else X
    assert_close(column_statistics(X, weight), exact(values, weight))


@each_order
@pytest.mark.parametrize(("mean", "dtype"), [(1e4, np.float32), (1e4, np.float64), (1e9, np.float64)])
def test_a_large_mean_costs_no_digits(order, mean, dtype):
    X = np.asarray(np.random.default_rng(0).standard_normal((100_000, 9)) + mean, dtype, order=order)
    found, expected = column_statistics(X), exact(X)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-15)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12)


@each_order
def test_a_row_far_away_costs_no_digits(order):
    X = np.asarray(np.random.default_rng(0).standard_normal((10_000, 3)), order=order)
    for at in (0, 1, 5000, 9999):
        far = X.copy(order)
        far[at] = 1e8
        weight = np.ones(len(X))
        assert_close(column_statistics(far), exact(far), 1e-12)
        weight[at] = 0.0  # and where it does not count, it changes little
        found, expected = column_statistics(far, weight), exact(np.delete(X, at, axis=0))
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-6)


@each_order
@pytest.mark.parametrize("drift", [1.0, -1e6])
def test_sorted_rows_cost_no_digits(order, drift):
    X = np.asarray(drift * np.linspace(0, 1, 300_000)[:, None] + np.array([0.0, 1e6]), order=order)
    assert_close(column_statistics(X), exact(X), 1e-12)


@each_storage
@each_order
@pytest.mark.parametrize("rows", [1, 300, 20_000])
def test_a_constant_column_has_no_deviation(storage, order, rows):
    stored, values = rounded(np.full((rows, 3), [0.1, -7.3, 1e4]), storage)
    X = np.asarray(stored, order=order)
    weight = np.random.default_rng(0).uniform(0, 2, rows).astype(values.dtype)
    weight[: rows // 3] = 0.0
    for found in (column_statistics(X), column_statistics(X, weight)):
        np.testing.assert_array_equal(found[0], values[0].astype(float))
        np.testing.assert_array_equal(found[1], np.zeros(3))


@pytest.mark.parametrize("rows", [9, 5000])
def test_a_constant_sparse_column_has_no_deviation(rows):
    rng = np.random.default_rng(0)
    X = np.column_stack([np.full((rows, 2), [0.1, 1.5]), rng.standard_normal(rows)])
    weight = rng.uniform(0, 2, rows)
    X[3], weight[3] = 9.0, 0.0
    mean, deviation = column_statistics(scipy.sparse.csr_array(X), weight)
    assert (mean[:2].tolist(), deviation[:2].tolist()) == ([0.1, 1.5], [0.0, 0.0])
    assert deviation[2] > 0.5


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("loss", [st.LeastSquares, st.Logistic, st.Huber, st.Poisson])
def test_a_constant_sparse_column_beside_an_intercept(loss, seed):
    """Its coefficient is no quotient of two roundings, and the value is that at w."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((200, 5)) * (rng.random((200, 5)) < 0.3)
    X[:, 0] = 1.5
    y = rng.integers(0, 2, 200).astype(float)
    objective = loss(scipy.sparse.csr_array(X), y, sample_weight=rng.uniform(0.1, 4.0, 200))
    found = st.minimize(objective)
    assert np.abs(found.w).max() < 10.0
    assert found.value == pytest.approx(objective.value(found.w), rel=1e-12)


def test_rows_of_weight_zero_do_not_count_for_constancy():
    X, weight = np.full((500, 2), 0.1), np.ones(500)
    X[::7], weight[::7] = 1e3, 0.0
    mean, deviation = column_statistics(X, weight)
    assert (mean.tolist(), deviation.tolist()) == ([0.1, 0.1], [0.0, 0.0])


@each_order
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_nan_is_never_swallowed(order, bad):
    for at in (0, 300, 9_999):
        X = np.asarray(np.random.default_rng(0).standard_normal((10_000, 4)), order=order)
        X[at, 2] = bad
        mean, deviation = column_statistics(X)
        assert not np.isfinite(mean[2])
        assert np.isnan(deviation[2])
        assert np.isfinite(np.delete([mean, deviation], 2, axis=1)).all()


@each_order
@pytest.mark.parametrize("shape", [(300_000, 7), (20_000, 100), (9, 20_000)])
def test_same_bits_for_any_number_of_threads(order, shape):
    X = np.asarray(np.random.default_rng(0).standard_normal(shape), np.float32, order=order)
    results = []
    for threads in (1, 2, 3, 8):
        with st.threads(threads):
            results.append(tuple(part.tobytes() for part in column_statistics(X)))
    assert len(set(results)) == 1


@pytest.mark.parametrize("kind", [np.ascontiguousarray, np.asfortranarray, scipy.sparse.csr_matrix])
def test_rows_without_weight_may_be_of_any_size(kind):
    X = kind(np.array([[2.5e-308, 1.0], [8.0, 3.0], [1e300, 5.0]]))
    mean, deviation = column_statistics(X, np.array([1.0, 0.0, 0.0]))
    assert mean.tolist() == [2.5e-308, 1.0]
    assert deviation.tolist() == [0.0, 0.0]


VALUES = some.floats(-1e6, 1e6, allow_subnormal=False)


@given(arrays.arrays(np.float64, some.tuples(some.integers(1, 60), some.integers(1, 6)), elements=VALUES), some.data())
def test_a_weight_of_k_is_k_copies_of_the_row(X, data):
    copies = data.draw(arrays.arrays(np.int64, len(X), elements=some.integers(0, 4)))
    copies[0] += 1
    found = column_statistics(X, copies.astype(float))
    expected = column_statistics(np.repeat(X, copies, axis=0))
    size = np.abs(X).max(axis=0) * 1e-14
    assert (np.abs(found[0] - expected[0]) <= size).all()
    assert (np.abs(found[1] - expected[1]) <= 100 * size).all()

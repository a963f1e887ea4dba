"""Softmax of sparse rows, which reads the numbers of all classes at a column together where there is memory for it."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from steepest import _core, reference

sparse = pytest.importorskip("scipy.sparse")

N_CLASSES = [2, 3, 5, 8, 9, 15, 24]  # every way of taking them by 8, 4, 2 and 1


def rows_of(n, d, dtype, *, in_order=False, ones=False, seed=0):
    """Rows of 0 to 40 entries, columns that come twice, and one row that has a fifth of all entries."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 40, n)
    lengths[n // 3] = 5 * n
    columns = rng.integers(0, d, lengths.sum()).astype(np.int32)
    values = (rng.standard_normal(len(columns)) / 4).astype(dtype)
    X = sparse.csr_array((np.ones_like(values) if ones else values, columns, np.append(0, np.cumsum(lengths))), (n, d))
    if in_order:
        X.sort_indices()
    return X


def problem(X, k, dtype, seed=1):
    """Targets, weights of which some are 0, a point and a direction."""
    rng = np.random.default_rng(seed)
    y = np.append(np.arange(k), rng.integers(0, k, X.shape[0] - k)).astype(dtype)
    weight = rng.uniform(0.2, 3.0, len(y)) * (rng.random(len(y)) < 0.8)
    weight[0] = 1.0
    w, v = rng.standard_normal((2, k, X.shape[1] + 1)) / 20
    return (*(each.astype(dtype) for each in (y, weight, w, v)),)


def answers(X, y, weight, w, v):
    objective = st.Softmax(X, y, sample_weight=weight)
    value, gradient = objective.value_and_gradient(w)
    return value, objective.value(w), gradient, objective.hessian_product(w, v)


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", N_CLASSES)
@pytest.mark.parametrize("ones", [False, True])
def test_side_by_side_or_apart_are_the_same(isa, k, ones, dtype):
    """More columns, all of them empty, are not worth putting the numbers side by side. They change nothing else.

    Products of two float32 are exact in double, so that all sums have the same bits, with fused additions or without.
    """
    d, far = 90, 400_000
    X = rows_of(40, d, dtype, ones=ones)  # one chunk of rows, whatever d is
    y, weight, w, v = problem(X, k, dtype)
    wide = sparse.csr_array((X.data, X.indices, X.indptr), shape=(40, far))
    spread = np.zeros((2, k, far + 1), dtype)
    spread[:, :, :d], spread[:, :, -1] = np.stack([w, v])[:, :, :d], np.stack([w, v])[:, :, -1]
    together, apart = answers(X, y, weight, w, v), answers(wide, y, weight, *spread)
    tolerance = 0.0 if dtype == np.float32 else 1e-15
    assert together[:2] == pytest.approx(apart[:2], rel=tolerance, abs=0.0)
    for found, wanted in zip(together[2:], apart[2:], strict=True):
        kept = np.append(wanted[:, :d], wanted[:, -1:], axis=1)
        np.testing.assert_allclose(found, kept, rtol=0, atol=tolerance * np.abs(kept).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", N_CLASSES)
def test_follows_the_reference(k, dtype):
    X = rows_of(300, 40, dtype)
    y, weight, w, v = problem(X, k, dtype)
    dense = np.zeros(X.shape)
    np.add.at(dense, (np.repeat(np.arange(300), np.diff(X.indptr)), X.indices), X.data.astype(float))
    value, again, gradient, product = answers(X, y, weight, w, v)
    expected, slopes = reference.softmax(dense, y, w.astype(float), sample_weight=weight)
    hessian = reference.softmax_hessian(dense, y, w.astype(float), sample_weight=weight)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    assert value == again == pytest.approx(expected, rel=tolerance)
    np.testing.assert_allclose(gradient, slopes.reshape(gradient.shape), atol=tolerance)
    np.testing.assert_allclose(product.ravel(), hessian @ v.astype(float).ravel(), atol=tolerance)


@pytest.mark.parametrize(("n", "d"), [(60_000, 300), (6000, 40_000)], ids=["chunks of rows", "ranges of columns"])
@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("k", [3, 8])
def test_the_number_of_threads_changes_no_bit(n, d, k, in_order):
    X = rows_of(n, d, np.float32, in_order=in_order)
    arguments = problem(X, k, np.float32)
    found = []
    for threads in (1, 2, 3, 7):
        with st.threads(threads):
            found.append(answers(X, *arguments))
    for each in found[1:]:
        assert each[:2] == found[0][:2]
        for mine, first in zip(each[2:], found[0][2:], strict=True):
            np.testing.assert_array_equal(mine, first)


def test_rows_of_weight_0_may_hold_anything():
    X = rows_of(400, 30, np.float64)
    y, weight, w, v = problem(X, 5, np.float64)
    right = answers(X, y, weight, w, v)
    spoiled = X.copy()
    for row in np.flatnonzero(weight == 0.0):
        spoiled.data[spoiled.indptr[row] : spoiled.indptr[row + 1]] = 1e300
    found = answers(spoiled, y, weight, w, v)
    assert found[:2] == right[:2]
    for mine, wanted in zip(found[2:], right[2:], strict=True):
        np.testing.assert_array_equal(mine, wanted)

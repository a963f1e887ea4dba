"""Sources of some rows that are not copied, and gradients at two points from one pass over the rows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse

import steepest as st
from steepest import _core
from steepest.objectives.bound import some_of
from test_sums import LOSSES, SCALINGS, D, K, N, bits, bound, data

ROWS = np.array([400, 3, 3, 17, 250, 0, 402, 99, 100, 101] * 9, np.uint32)


def objective_of(source, loss, scaling=None, intercept=True):
    source = source if scaling is None else _core.standardised_source(source, *scaling)
    kind = _core.Objective64 if type(source) is _core.Source64 else _core.Objective32
    return kind(source, loss, intercept, 0.0, 0.3, K if loss == "softmax" else 1)


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("storage", ["float16", "float32", "float64"])
def test_selected_rows_are_a_copy_of_them(loss, storage, scaling):
    """Rows that lie whole are added up in the same blocks, and so are those of columns, which are gathered."""
    for order, weighted, intercept in itertools.product("CF", (False, True), (False, True)):
        X, labels, weight = data(storage, order)
        y = labels if loss == "softmax" else (labels > 0).astype(labels.dtype)
        weight = weight if weighted else None
        all_rows = _core.dense_source(X, y, weight, 1.0)
        chosen = _core.selected_source(all_rows, ROWS, 25.0)
        copied = _core.dense_source(X[ROWS], y[ROWS], None if weight is None else weight[ROWS], 25.0)
        assert (chosen.n_rows, chosen.n_columns, chosen.n_elements) == (len(ROWS), D, len(ROWS) * D)
        mine, expected = (objective_of(each, loss, SCALINGS[scaling], intercept) for each in (chosen, copied))
        w = np.linspace(-1.0, 1.0, (K if loss == "softmax" else 1) * (D + intercept)).astype(y.dtype)
        close = {"rtol": 1e-11 if storage == "float64" else 1e-4, "atol": 1e-5 if storage != "float64" else 1e-13}
        for found, right in zip(mine.value_and_gradient(w), expected.value_and_gradient(w), strict=True):
            np.testing.assert_allclose(found, right, **close)
        np.testing.assert_allclose(mine.hessian_product(w, w), expected.hessian_product(w, w), **close)
        if loss != "softmax" and mine.supports("hessian"):
            found, right = mine.value_gradient_and_hessian(w), expected.value_gradient_and_hessian(w)
            for each, other in zip(found, right, strict=True):
                np.testing.assert_allclose(each, other, **close)


def test_selected_rows_of_a_sparse_source():
    X, labels, weight = data()
    X[np.abs(X) < 0.7] = 0.0
    csr = scipy.sparse.csr_array(X)
    y = (labels > 0).astype(float)
    source = _core.sparse_source(csr.data, csr.indices, csr.indptr, D, y, weight, weight.sum())
    mine = objective_of(_core.selected_source(source, ROWS, 7.0), "logistic")
    expected = objective_of(_core.dense_source(X[ROWS], y[ROWS], weight[ROWS], 7.0), "logistic")
    w = np.linspace(-1.0, 1.0, D + 1)
    np.testing.assert_allclose(mine.value_and_gradient(w)[1], expected.value_and_gradient(w)[1], rtol=1e-12)
    np.testing.assert_allclose(mine.hessian(w), expected.hessian(w), rtol=1e-11, atol=1e-14)


def test_what_a_selected_source_refuses():
    X, labels, weight = data()
    source = _core.dense_source(X, labels, weight, 1.0)
    chosen = _core.selected_source(source, ROWS, 1.0)
    assert {name for name in _core.capabilities if chosen.supports(name)} == {"hessian", "standardised_blocks"}
    with pytest.raises(ValueError, match=f"^rows must be numbers below {N}$"):
        _core.selected_source(source, np.array([N], np.uint32), 1.0)
    with pytest.raises(ValueError, match=r"^rows must not be empty$"):
        _core.selected_source(source, ROWS[:0], 1.0)
    with pytest.raises(TypeError, match=r"^rows must be a contiguous uint32 array"):
        _core.selected_source(source, ROWS.astype(np.int64), 1.0)
    with pytest.raises(ValueError, match=r"^source must have rows by index"):
        _core.selected_source(chosen, ROWS[:3], 1.0)


def test_a_selected_source_keeps_what_it_reads():
    X, labels, weight = data()
    y = (labels > 0).astype(float)
    expected = objective_of(_core.dense_source(X[ROWS], y[ROWS], weight[ROWS], 1.0), "logistic").value(np.ones(D + 1))
    source = _core.dense_source(X.copy(), y.copy(), weight.copy(), 1.0)
    mine = objective_of(_core.selected_source(source, ROWS.copy(), 1.0), "logistic")
    del source
    filled = [np.full(size, np.nan) for size in (X.size, N, len(ROWS)) for _ in range(50)]
    assert mine.value(np.ones(D + 1)) == pytest.approx(expected, rel=1e-13)
    assert len(filled) == 150


@pytest.mark.parametrize("loss", ["least_squares", "logistic", "huber", "poisson", "offset_logistic"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_at_two_points_have_the_bits_of_two_passes(loss, dtype):
    """For all widths of vectors, with blocks that do not fill, over one chunk and over many."""
    random = np.random.default_rng(3)
    shapes = [(n, d) for n in (1, 7, 300, 1031) for d in (1, 2, 3, 5, 8, 17, 33, 100)] + [(40_000, 9), (300, 2000)]
    for n, d in shapes:
        X = random.normal(size=(n, d)).astype(dtype)
        y = random.integers(0, 2, n).astype(dtype)
        for weighted, scaled, intercept in itertools.product((False, True), repeat=3):
            weight = random.integers(0, 3, n).astype(dtype) + dtype(0.5) if weighted else None
            scaling = (np.linspace(-0.1, 0.1, d), np.linspace(0.5, 2.0, d)) if scaled else None
            objective, _ = bound(loss, X, y, weight, scaling=scaling, intercept=intercept, l1=0.1, l2=0.2)
            w, v = (random.normal(size=(2, d + intercept)) / d).astype(dtype)
            found = objective.values_and_gradients(w, v)
            expected = (*objective.value_and_gradient(w), *objective.value_and_gradient(v))
            assert list(map(bits, found)) == list(map(bits, expected)), (n, d, weighted, scaled, intercept)
            at_zeros = objective.values_and_gradients(0 * w, v)
            assert list(map(bits, at_zeros[:2])) == list(map(bits, objective.value_and_gradient(0 * w)))


def test_gradients_at_two_points_have_the_same_bits_on_any_threads():
    random = np.random.default_rng(4)
    X, y = random.normal(size=(60_000, 20)), random.integers(0, 2, 60_000).astype(float)
    objective, _ = bound("logistic", X, y, None)
    seen = set()
    for threads in (1, 2, 3):
        with st.threads(threads):
            seen.add(b"".join(map(bits, objective.values_and_gradients(np.zeros(21), np.ones(21)))))
    assert len(seen) == 1


def test_what_has_no_two_points():
    X, labels, weight = data()
    y = (labels > 0).astype(float)
    in_columns = _core.dense_source(np.asfortranarray(X), y, weight, 1.0)
    narrow = _core.dense_source(X.astype(np.float16), y.astype(np.float32), None, 1.0)
    far = _core.standardised_source(_core.dense_source(X, y, weight, 1.0), *SCALINGS["blockwise"])
    several = objective_of(_core.dense_source(X, labels, weight, 1.0), "softmax")
    csr = scipy.sparse.csr_array(X)
    compressed = _core.sparse_source(csr.data, csr.indices, csr.indptr, D, y, weight, 1.0)
    for objective in (*(objective_of(each, "logistic") for each in (in_columns, narrow, far, compressed)), several):
        w = np.zeros(D + 1 if objective is not several else K * (D + 1))
        w = w.astype(np.float32) if isinstance(objective, _core.Objective32) else w
        with pytest.raises(ValueError, match=r"^X: this kind of data does not give gradients at two points"):
            objective.values_and_gradients(w, w)
    objective = objective_of(_core.dense_source(X, y, weight, 1.0), "logistic")
    with pytest.raises(ValueError, match=r"^v must be"):
        objective.values_and_gradients(np.zeros(D + 1), np.zeros(D))


@pytest.mark.parametrize(("n", "rows"), [(1, 1), (10, 10), (10, 25), (7, 3), (1000, 999), (100_003, 10_000)])
def test_some_rows_are_in_order_without_repeats(n, rows):
    found = some_of(n, rows, 0)
    assert (np.diff(found) > 0).all()
    assert 0 <= found[0] <= found[-1] < n
    assert 0.6 * min(n, rows) <= len(found) <= min(n, rows)
    np.testing.assert_array_equal(found, some_of(n, rows, 0))


@pytest.mark.parametrize(("n", "period"), [(20_000, 5), (30_000, 3), (25_000, 5)])
def test_rows_that_repeat_are_all_as_likely(n, period):
    """10,000 rows: each remainder has its share, within five standard deviations of rows drawn alone."""
    counts = np.bincount(some_of(n, 10_000, 0) % period, minlength=period)
    share = counts.sum() / period
    assert (np.abs(counts - share) < 5 * np.sqrt(share)).all()


def test_rows_of_a_sample_are_not_copied(monkeypatch):
    random = np.random.default_rng(0)
    X = random.normal(size=(30_000, 20)).astype(np.float32)
    objective = st.Logistic(X, (random.random(30_000) < 0.5).astype(np.float32))
    copied = objective.sample_data(9_000, 1).bind(objective.terms)
    monkeypatch.setattr(type(objective.data), "taken", None)
    sample = objective.sample(9_000, 1)
    w = np.linspace(-1.0, 1.0, 21, dtype=np.float32)
    np.testing.assert_allclose(sample.value_and_gradient(w)[1], copied.value_and_gradient(w)[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sample.hessian(w), copied.hessian(w), rtol=1e-4, atol=1e-6)

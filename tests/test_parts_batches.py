"""Mini-batches over parts: asked of the parts, or from a buffer that some of them fill."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from parted_rows import CUTS, LOSSES, OPTIONS, K, N, both, read_parts, rows
from steepest.arrays.sparse import csr_view
from steepest.objectives.parts import Parts


@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["l1"]], ids=["plain", "l1"])
@pytest.mark.parametrize("rule", [st.GradientDescent(1e-3), st.Momentum(1e-4), st.Adam(0.05)], ids=repr)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_mini_batches_ask_the_parts_for_their_rows(loss, sparse, rule, options):
    """The batches are those over one array, in the same random order."""
    parts, dense = both(loss, sparse=sparse, **options)
    settings = {"batch_size": 16, "max_epochs": 3, "random_state": 4, "diagnose": False}
    found, expected = (st.minimize(each, None, rule, **settings) for each in (parts, dense))
    assert found.n_steps == expected.n_steps == 3 * 26
    np.testing.assert_allclose(found.w, expected.w, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", [st.GradientDescent(1e-3), st.Adam(0.05), st.GradientDescent("auto")], ids=repr)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_buffer_of_all_parts_has_the_bits_of_one_array(loss, rule, dtype):
    X, y, weight = rows(loss, dtype)
    options = {"n_classes": K} if loss == "Softmax" else {}
    settings = {"batch_size": 16, "max_epochs": 3, "random_state": 4, "diagnose": False}
    buffered = getattr(st, loss)(read_parts(X, y, weight, 5), alpha=0.01, **options)
    dense = getattr(st, loss)(X, y, sample_weight=weight, alpha=0.01, **options)
    found, expected = (st.minimize(each, None, rule, **settings) for each in (buffered, dense))
    if rule.learning_rate == "auto":  # it comes from Hessian products over the parts
        rates = [each.history["learning_rate"][0] for each in (found, expected)]
        assert rates[0] == pytest.approx(rates[1], rel=1e-3)
        return
    assert found.w.tobytes() == expected.w.tobytes()
    assert found.history["loss"].tobytes() == expected.history["loss"].tobytes()
    assert found.n_steps == expected.n_steps


@pytest.mark.parametrize("capacity", [1, 2, 3])
@pytest.mark.parametrize("batch_size", [1, 7, 16, 50, 172, 173])
def test_an_epoch_from_a_buffer_takes_every_row_once(capacity, batch_size):
    """Each row adds its number of one column to the gradient of a step, so that w is a record of the rows."""
    X, y = np.eye(N), np.full(N, -0.5)
    parts = Parts.of([(X[a:b], y[a:b]) for a, b in itertools.pairwise(CUTS)], capacity)
    objective = st.LeastSquares(parts, intercept=False)
    settings = {"batch_size": batch_size, "max_epochs": 1, "random_state": 5, "diagnose": False}
    result = st.minimize(objective, None, st.GradientDescent(1e-3), record_path=True, **settings)
    assert result.n_steps == -(-N // batch_size)
    moved = np.diff(result.path, axis=0) != 0.0
    np.testing.assert_array_equal(moved.sum(axis=0), 1)
    np.testing.assert_array_equal(np.sort(moved.sum(axis=1))[1:], batch_size)
    np.testing.assert_allclose(result.w.sum() * batch_size / -1e-3, N, rtol=batch_size / N + 1e-9)


def test_a_batch_of_more_rows_than_a_buffer_is_refused():
    objective = st.LeastSquares(read_parts(*rows("LeastSquares"), 2))
    settings = {"max_epochs": 1, "random_state": 0, "diagnose": False}
    with pytest.raises(ValueError, match=r"^batch_size must be at most 346 for data that are read in parts.*got 347"):
        st.minimize(objective, None, st.Adam(), batch_size=347, **settings)
    assert st.minimize(objective, None, st.Adam(), batch_size=346, **settings).n_steps == 2


def order_of(capacity, seed, shuffle=True, epochs=2):
    """The row of each step, over steps of one row."""
    X, y = np.eye(N), np.full(N, -0.5)
    parts = Parts.of([(X[a:b], y[a:b]) for a, b in itertools.pairwise(CUTS)], capacity)
    settings = {"batch_size": 1, "max_epochs": epochs, "random_state": seed, "diagnose": False, "shuffle": shuffle}
    rule = st.GradientDescent(1e-3)
    result = st.minimize(st.LeastSquares(parts, intercept=False), None, rule, record_path=True, **settings)
    return np.argmax(np.diff(result.path, axis=0) != 0.0, axis=1).reshape(epochs, N)


def test_the_order_is_a_function_of_seed_and_epoch():
    first, second = order_of(2, 5)
    np.testing.assert_array_equal(order_of(2, 5), [first, second])
    assert (first != second).any()
    assert (first != order_of(2, 6)[0]).any()
    np.testing.assert_array_equal(order_of(2, 5, shuffle=False), [np.arange(N)] * 2)
    part = np.searchsorted(CUTS, first, "right") - 1
    assert [len(set(part[a:b])) for a, b in ((0, 30), (370, N))] == [2, 1]  # two parts mixed, then the last one alone


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_steps_from_a_buffer_come_near_the_minimum(loss, sparse):
    X, y, weight = rows(loss)
    if sparse:
        X[np.abs(X) < 0.5] = 0.0
    whole = sp.csr_array(X) if sparse else X
    each = [(csr_view(whole[a:b]) if sparse else X[a:b], y[a:b], weight[a:b]) for a, b in itertools.pairwise(CUTS)]
    options = {"n_classes": K} if loss == "Softmax" else {}
    objective = getattr(st, loss)(Parts.of(each, 2), alpha=0.01, **options)
    rule = st.Adam(st.schedules.InverseTimeDecay(0.05, 1.0, every=200))
    result = st.minimize(objective, None, rule, batch_size=20, max_epochs=60, random_state=0, diagnose=False)
    least = st.minimize(getattr(st, loss)(whole, y, sample_weight=weight, alpha=0.01, **options)).value
    start = result.history["loss"][0]
    assert result.value - least < 0.02 * (start - least)

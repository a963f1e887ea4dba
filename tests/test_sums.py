"""Sums over rows on the native classes: `finish(sums(w), w)` is `value_and_gradient(w)`, and sums of parts add up."""

from __future__ import annotations

import functools
import itertools
import operator

import numpy as np
import pytest

import steepest as st
from steepest import _core
from storages import STORAGES, arithmetic, rounded

N, D, K = 403, 5, 3


def bits(array):
    return np.asarray(array).tobytes()


def data(storage="float64", order="C", n=N, seed=0):
    random = np.random.default_rng(seed)
    X = np.asarray(rounded(random.normal(size=(n, D)), storage)[0], order=order)
    dtype = arithmetic(storage)
    weight = random.integers(0, 3, n).astype(dtype)
    labels = random.integers(0, K, n).astype(dtype)
    return X, labels, weight


def bound(loss, X, y, weight, *, scaling=None, intercept=True, l1=0.0, l2=0.0, n_scores=1, parameters=None):
    """A native objective, and its source."""
    source = _core.dense_source(X, y, weight, float(len(y) if weight is None else weight.sum()))
    if scaling is not None:
        source = _core.standardised_source(source, *scaling)
    kind = _core.Objective64 if type(source) is _core.Source64 else _core.Objective32
    return kind(source, loss, intercept, l1, l2, n_scores, parameters or {}), source


def native(loss, X, labels, weight, *, scaling=None, intercept=True, alpha=0.1):
    """A native objective and parameters."""
    n_scores = K if loss == "softmax" else 1
    y = labels if loss == "softmax" else (labels > 0).astype(labels.dtype)
    penalty = {"l1": 0.25 * alpha, "l2": 0.75 * alpha}
    objective, _ = bound(loss, X, y, weight, scaling=scaling, intercept=intercept, n_scores=n_scores, **penalty)
    w = np.random.default_rng(1).normal(size=n_scores * (D + intercept)).astype(y.dtype)
    return objective, w


SCALINGS = {
    "raw": None,
    "converted": (np.linspace(-1.0, 1.0, D), np.linspace(0.5, 2.0, D)),
    "blockwise": (np.full(D, 3e5), np.linspace(0.5, 2.0, D)),  # beyond largest_shift of scaling.hpp
}
LOSSES = ("least_squares", "logistic", "softmax")


@pytest.mark.parametrize("scaling", SCALINGS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("storage", STORAGES)
def test_finished_sums_are_the_value_and_the_gradient(loss, storage, scaling):
    for order, weighted, intercept in itertools.product("CF", (False, True), (False, True)):
        X, labels, weight = data(storage, order)
        objective, w = native(
            loss, X, labels, weight if weighted else None, scaling=SCALINGS[scaling], intercept=intercept
        )
        value, gradient = objective.value_and_gradient(w)
        finished, finished_gradient = objective.finish(objective.sums(w), w)
        assert bits(finished) == bits(value)
        assert bits(finished_gradient) == bits(gradient)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("loss", LOSSES)
def test_sums_are_weighted_and_neither_divided_nor_penalised(loss, order):
    """Against the reference at alpha = 0: mean loss times the weight, and the sums of slope and slope times x."""
    X, labels, weight = data(order=order)
    objective, w = native(loss, X, labels, weight, alpha=3.0)
    total, losses, slopes, gradient = objective.sums(w)
    y = labels if loss == "softmax" else (labels > 0).astype(float)
    parameters = w.reshape(K, -1) if loss == "softmax" else w
    value, of_mean = getattr(st.reference, loss)(X, y, parameters, sample_weight=weight)
    of_mean = np.asarray(of_mean).reshape(len(slopes), -1) * weight.sum()
    assert total == weight.sum()
    np.testing.assert_allclose(losses, value * weight.sum(), rtol=1e-12)
    np.testing.assert_allclose(gradient, of_mean[:, :-1], rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(slopes, of_mean[:, -1], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("loss", LOSSES)
def test_the_sums_of_parts_add_up_to_those_of_the_whole(loss):
    X, labels, weight = data()
    objective, w = native(loss, X, labels, weight)
    cuts = [0, 100, 101, 250, N]
    parts = [native(loss, X[a:b], labels[a:b], weight[a:b])[0].sums(w) for a, b in itertools.pairwise(cuts)]
    value, gradient = objective.finish(_core.add_sums(parts), w)
    expected, expected_gradient = objective.value_and_gradient(w)
    np.testing.assert_allclose(value, expected, rtol=1e-14)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-12, atol=1e-15)


def numbers(values):
    """Sums of one score and one column, with a number in each place."""
    return [(float(i + 1), v, np.array([v]), np.array([[v]])) for i, v in enumerate(values)]


def test_parts_are_added_along_a_binary_tree_over_their_order():
    """Of seven parts ((0 1)(2 3)) ((4 5) 6): each addition in floating point, so another order has other bits."""
    v = np.random.default_rng(4).normal(size=7)
    expected = ((v[0] + v[1]) + (v[2] + v[3])) + ((v[4] + v[5]) + v[6])
    assert expected not in (functools.reduce(operator.add, v), functools.reduce(operator.add, v[::-1]))
    weight, loss, slopes, gradient = _core.add_sums(numbers(v))
    assert (weight, loss, slopes[0], gradient[0, 0]) == (28.0, expected, expected, expected)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 13])
def test_a_whole_subtree_may_be_added_elsewhere(n):
    """A worker with the first 2^k parts adds them and sends one sum: no bit changes."""
    parts = numbers(np.random.default_rng(n).normal(size=n) * 10.0 ** (np.arange(n) % 5))
    whole = _core.add_sums(parts)
    size = 1 << (n.bit_length() - 1)
    rest = [_core.add_sums(parts[size:])] if n > size else []
    assert bits(_core.add_sums([_core.add_sums(parts[:size]), *rest])[1]) == bits(whole[1])


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("delta", [0.5, 1.35, 1e6])
def test_a_loss_reads_its_parameter(delta, order):
    """Huber (1964), doubled: r^2 up to delta, then its tangent 2 delta |r| - delta^2, written here in NumPy."""
    X, labels, weight = data(order=order)
    y = labels * 2.0 - 1.0
    w, v = np.random.default_rng(5).normal(size=(2, D + 1))
    parameters = {"delta": delta}
    objective, _ = bound("huber", X, y, weight, parameters=parameters)
    ones = np.column_stack([X, np.ones(N)])
    r = ones @ w - y
    far = np.abs(r) > delta
    assert far.any() == (delta < 10)
    losses = np.where(far, 2 * delta * np.abs(r) - delta**2, r**2)
    slope, curvature = np.where(far, 2 * delta * np.sign(r), 2 * r), np.where(far, 0.0, 2.0)
    value, gradient = objective.value_and_gradient(w)
    np.testing.assert_allclose(value, np.average(losses, weights=weight), rtol=1e-13)
    np.testing.assert_allclose(gradient, ones.T @ (weight * slope) / weight.sum(), rtol=1e-12, atol=1e-14)
    hessian = ones.T @ ((weight * curvature)[:, None] * ones) / weight.sum()
    np.testing.assert_allclose(objective.hessian(w), hessian, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(objective.hessian_product(w, v), hessian @ v, rtol=1e-12, atol=1e-14)
    finished, gradient_again, hessian_again = objective.value_gradient_and_hessian(w)
    np.testing.assert_allclose((finished, *gradient_again), (value, *gradient), rtol=1e-12, atol=1e-14)
    assert bits(hessian_again) == bits(objective.hessian(w))


def test_an_unknown_parameter_of_a_loss_is_refused():
    X, labels, _ = data()
    with pytest.raises(ValueError, match="unknown parameter 'epsilon' of a loss"):
        bound("huber", X, labels, None, parameters={"epsilon": 1.0})


def test_sums_that_do_not_fit_are_refused():
    X, labels, weight = data()
    objective, w = native("logistic", X, labels, weight)
    total, loss, slopes, gradient = objective.sums(w)
    with pytest.raises(ValueError, match=r"^slopes must be a contiguous float64 array of shape \(1,\)"):
        objective.finish((total, loss, slopes[:0], gradient), w)
    with pytest.raises(ValueError, match=r"^gradient must be a contiguous float64 array of shape \(1, 5\)"):
        objective.finish((total, loss, slopes, gradient[:, :4].copy()), w)
    with pytest.raises(TypeError, match=r"^gradient must be a contiguous float64 array"):
        objective.finish((total, loss, slopes, gradient.astype(np.float32)), w)
    with pytest.raises(ValueError, match=r"^parts: expected at least one, got none"):
        _core.add_sums([])
    with pytest.raises(ValueError, match=r"^w must be"):
        objective.sums(w[:-1])


def test_a_source_says_what_it_can_do():
    X, labels, weight = data()
    raw_objective, raw = bound("logistic", X, labels, weight)
    scaled_objective, scaled = bound("logistic", X, labels, weight, scaling=SCALINGS["converted"])
    raw_can = {"batches", "single_rows", "hessian", "standardised_blocks", "column_statistics", "two_points"}
    assert {name for name in _core.capabilities if raw.supports(name)} == raw_can
    assert set(_core.capabilities) - raw_can == {"row_entries"}  # of a sparse X
    scaled_can = {"batches", "hessian", "column_statistics", "two_points"}
    assert {name for name in _core.capabilities if scaled.supports(name)} == scaled_can
    for objective, source in ((raw_objective, raw), (scaled_objective, scaled)):
        assert all(objective.supports(name) == source.supports(name) for name in _core.capabilities)
        assert (source.n_rows, source.n_columns, source.n_elements) == (N, D, N * D)
    with pytest.raises(ValueError, match=r"^capability must be one of batches, .*, got 'sparse'"):
        raw.supports("sparse")


def test_a_source_measures_its_columns():
    """The mean and the deviation of (x - centre) / scale, for weights, are those of x, moved and divided."""
    X, labels, weight = data()
    centre, scale = SCALINGS["converted"]
    _, raw = bound("logistic", X, labels, weight)
    _, scaled = bound("logistic", X, labels, weight, scaling=(centre, scale))
    assert list(map(bits, raw.column_statistics())) == list(map(bits, _core.column_statistics(X, weight)))
    mean = np.average((X - centre) / scale, axis=0, weights=weight)
    deviation = np.sqrt(np.average(((X - centre) / scale - mean) ** 2, axis=0, weights=weight))
    np.testing.assert_allclose(scaled.column_statistics(), (mean, deviation), rtol=1e-12, atol=1e-15)


def test_a_source_keeps_the_arrays_that_it_reads():
    """The objective is all that is left of arrays, source and wrapper, and memory that was freed is filled anew."""
    X, labels, weight = data()
    expected = bound("logistic", X, labels, weight, scaling=SCALINGS["converted"])[0].value(np.ones(D + 1))
    objective, _ = bound("logistic", X.copy(), labels.copy(), weight.copy(), scaling=SCALINGS["converted"])
    filled = [np.full(size, np.nan) for size in (X.size, N) for _ in range(50)]
    assert objective.value(np.ones(D + 1)) == expected
    assert len(filled) == 100


@pytest.mark.parametrize("name", ["centre", "scale"])
def test_a_scaling_that_does_not_fit_is_refused(name):
    X, labels, weight = data()
    scaling = {"centre": np.zeros(D), "scale": np.ones(D)} | {name: np.ones(D - 1)}
    with pytest.raises(ValueError, match=rf"^{name} must be a contiguous float64 array of shape \(5,\)"):
        _core.standardised_source(_core.dense_source(X, labels, weight, 1.0), **scaling)


def test_columns_are_not_standardised_in_blocks_that_the_source_lacks():
    """The wrapper of a wrapper: blocks would be of the inner columns, and the outer scaling be lost in silence."""
    X, labels, weight = data()
    near, far = SCALINGS["converted"], SCALINGS["blockwise"]
    inner = _core.standardised_source(_core.dense_source(X, labels, weight, weight.sum()), *near)
    with pytest.raises(ValueError, match=r"^centre and scale: .* at most 100000 scales"):
        _core.standardised_source(inner, *far)
    twice = _core.Objective64(_core.standardised_source(inner, *near), "logistic", True, 0.0, 0.0)
    Z = ((X - near[0]) / near[1] - near[0]) / near[1]
    w = np.linspace(-1.0, 1.0, D + 1)
    expected, _ = bound("logistic", Z, labels, weight)
    np.testing.assert_allclose(twice.value(w), expected.value(w), rtol=1e-12)


def test_an_objective_refuses_to_have_no_source():
    with pytest.raises(TypeError):
        _core.Objective64(None, "logistic", True, 0.0, 0.0)
    X, labels, weight = data()
    with pytest.raises(TypeError):  # float64 for an objective of float32
        _core.Objective32(_core.dense_source(X, labels, weight, 1.0), "logistic", True, 0.0, 0.0)

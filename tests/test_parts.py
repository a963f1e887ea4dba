"""Objectives over parts: their passes, and all methods over all rows, are those over one array."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp

import steepest as st
from parted_rows import CUTS, LOSSES, OPTIONS, RULES, K, N, both, in_parts, rows
from steepest.objectives.parts import Parts
from steepest.objectives.questions import HeldPart
from steepest.parts.local import LocalEngine
from steepest.parts.tree import Tree


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
def test_passes_are_those_over_one_array(loss, dtype, sparse, options):
    parts, dense = both(loss, dtype, sparse=sparse, **options)
    shape = (K, -1) if loss == "Softmax" else (-1,)
    w, v = np.random.default_rng(1).normal(size=(2, dense.n_parameters)).astype(dtype)
    close = {"rtol": 1e-4, "atol": 1e-5} if dtype == "float32" else {"rtol": 1e-11, "atol": 1e-13}
    np.testing.assert_allclose(parts.value(w), dense.value(w), **close)
    value, gradient = parts.value_and_gradient(w.reshape(shape))
    expected, expected_gradient = dense.value_and_gradient(w.reshape(shape))
    assert gradient.dtype == dtype
    np.testing.assert_allclose(value, expected, **close)
    np.testing.assert_allclose(gradient, expected_gradient, **close)
    np.testing.assert_allclose(parts.gradient_norm(w, gradient.ravel()), dense.gradient_norm(w, gradient.ravel()))
    product = parts.hessian_product(w.reshape(shape), v.reshape(shape))
    np.testing.assert_allclose(product, dense.hessian_product(w.reshape(shape), v.reshape(shape)), **close)
    np.testing.assert_allclose(parts.hessian(w.reshape(shape)), dense.hessian(w.reshape(shape)), **close)
    for found, each in zip(parts.column_statistics(), dense.column_statistics(), strict=True):
        np.testing.assert_allclose(found, each, **close)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
@pytest.mark.parametrize("loss", LOSSES)
def test_quasi_newton_finds_the_minimum_over_one_array(loss, sparse, options):
    parts, dense = both(loss, sparse=sparse, **options)
    found, expected = (st.minimize(each, stop=st.stop.GradientNorm(1e-8)) for each in (parts, dense))
    assert found.converged
    assert expected.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-12)
    np.testing.assert_allclose(np.diff(found.w, axis=0), np.diff(expected.w, axis=0), atol=1e-6)  # Softmax has a gauge


@pytest.mark.parametrize("loss", LOSSES)
def test_quasi_newton_needs_few_passes(loss):
    """Its sample and its Hessian come from rows of the parts, as they come from one array."""
    parts, dense = both(loss, alpha=0.01)
    counts = []
    for each in (parts, dense):
        result = st.minimize(each, stop=st.stop.GradientNorm(1e-8))
        assert result.converged
        counts.append(result.n_steps)
    assert counts[0] <= counts[1] + 3


@pytest.mark.parametrize("options", [OPTIONS["plain"], OPTIONS["l1"]], ids=["plain", "l1"])
@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("loss", LOSSES)
def test_descent_takes_the_same_steps(loss, rule, options):
    """With the L1 penalty too, whose part of a step the native loop takes."""
    parts, dense = both(loss, **options)
    found, expected = (st.minimize(each, None, rule, max_epochs=20, diagnose=False) for each in (parts, dense))
    assert found.n_steps == expected.n_steps
    np.testing.assert_allclose(found.w, expected.w, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-9)
    np.testing.assert_allclose(found.history["gradient_norm"], expected.history["gradient_norm"], rtol=1e-6)


def test_descent_keeps_to_a_constraint():
    parts, dense = both("LeastSquares")
    found, expected = (
        st.minimize(each, None, st.GradientDescent(0.02), constraint=st.Box(0.0, 0.3)) for each in (parts, dense)
    )
    np.testing.assert_allclose(found.w, expected.w, rtol=1e-9, atol=1e-12)
    assert found.w.max() == pytest.approx(0.3)


@pytest.mark.parametrize("loss", ["LeastSquares", "Huber"])
def test_targets_far_from_zero_lose_no_digits(loss):
    """In float32 the targets are 1e6 apart from zero, and their noise is about 1."""
    X, y, weight = rows(loss)
    y, X, weight = (y + 1e6).astype(np.float32), X.astype(np.float32), weight.astype(np.float32)
    found = st.minimize(getattr(st, loss)(in_parts(X, y, weight)))
    expected = st.minimize(getattr(st, loss)(X, y, sample_weight=weight))
    assert found.converged
    np.testing.assert_allclose(found.w[:-1], expected.w[:-1], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_huber_far_from_its_delta_takes_the_curvature_of_squares(sparse, options):
    """No residual is within delta at the start, where the loss has no curvature of its own."""
    X, y, weight = rows("Huber")
    X = sp.csr_array(np.where(np.abs(X) < 0.5, 0.0, X)) if sparse else X
    parts, held = (
        st.Huber(in_parts(X, 1e5 * y, weight), **options),
        st.Huber(X, 1e5 * y, sample_weight=weight, **options),
    )
    found, expected = (st.minimize(each, max_epochs=300) for each in (parts, held))
    assert found.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-8)


@pytest.mark.parametrize("loss", LOSSES)
def test_far_columns_are_centred(loss):
    parts, dense = both(loss, far=3000.0, alpha=0.01)
    found, expected = st.minimize(parts, max_epochs=80), st.minimize(dense)
    assert found.converged
    np.testing.assert_allclose(found.value, expected.value, rtol=1e-9)


@pytest.mark.parametrize("sparse", [False, True], ids=["dense", "sparse"])
def test_rows_are_taken_in_any_order_from_any_part(sparse):
    parts, dense = both("LeastSquares", sparse=sparse)
    index = np.random.default_rng(0).integers(0, N, 60)
    found, expected = parts.data.taken(index), dense.data.taken(index)
    for name in ("X", "targets", "weights"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))
    assert found.weight_sum == expected.weight_sum
    assert parts.data.taken(index, 5.0).weight_sum == 5.0


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_bits_wherever_parts_are(loss):
    """Two workers, which hold parts in turn and send the roots of their subtrees, and one that holds all."""
    X, y, weight = rows(loss)
    held = [HeldPart(i, X[a:b], y[a:b], weight[a:b]) for i, (a, b) in enumerate(itertools.pairwise(CUTS))]

    class Two(LocalEngine):
        def reduce(self, question, *arrays):
            whole = Tree(len(held), question.add)
            asked = range(len(held)) if question.asks is None else question.asks
            for first in (1, 0):
                worker = Tree(len(held), question.add)
                for part in held[first::2]:
                    worker.put(part.index, question.of(part, *arrays) if part.index in asked else None)
                whole.take(worker.nodes)
            return whole.total()

    options = {"n_classes": K} if loss == "Softmax" else {}
    results = [
        st.minimize(getattr(st, loss)(Parts(engine), alpha=0.01, **options))
        for engine in (Two(len(held), None), LocalEngine(len(held), lambda asked: (held[i] for i in asked)))
    ]
    assert results[0].w.tobytes() == results[1].w.tobytes()
    assert results[0].value == results[1].value


@pytest.mark.parametrize("loss", LOSSES)
def test_hessians_of_parts_that_are_cut_in_chunks(loss):
    """Of some ten thousand rows each, and of different numbers of them. The same rows in one array have the sum."""
    X, y, weight = (np.tile(each.T, 100).T.copy() for each in rows(loss))
    options = {"n_classes": K} if loss == "Softmax" else {}
    parts = getattr(st, loss)(in_parts(X, y, weight, [0, 30_000, 33_000, len(y)]), alpha=0.01, **options)
    dense = getattr(st, loss)(X, y, sample_weight=weight, alpha=0.01, **options)
    w = np.random.default_rng(1).normal(size=dense.n_parameters)
    np.testing.assert_allclose(parts.hessian(w), dense.hessian(w), rtol=1e-11, atol=1e-13)


def test_a_part_may_have_no_weight():
    X, y, weight = rows("Logistic")
    weight[:38] = 0.0
    parts, dense = st.Logistic(in_parts(X, y, weight), alpha=0.1), st.Logistic(X, y, sample_weight=weight, alpha=0.1)
    np.testing.assert_allclose(st.minimize(parts).w, st.minimize(dense).w, atol=1e-8)


def test_some_part_must_have_a_weight():
    X, y, weight = rows("Logistic")
    with pytest.raises(ValueError, match=r"^sample_weight must have a positive finite sum, got 0"):
        st.Logistic(in_parts(X, y, 0.0 * weight))

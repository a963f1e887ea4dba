"""The passes of `st.Softmax` against the NumPy reference at every ISA level, its formula, its bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import steepest as st
from softmax_problems import Problem, assert_close, each_dtype, each_order
from steepest import reference
from storages import NARROW, rounded

SIZES = [(1, 1), (7, 3), (9, 8), (33, 31), (130, 17), (64, 100)]
CLASSES = [2, 3, 4, 7, 10, 17, 100]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"intercept": False, "weighted": True},
    {"weighted": True, "alpha": 0.3, "l1_ratio": 0.4},
]
BIG = [(3001, 784, 10), (60_001, 9, 3), (20, 9000, 4)]


def check(problem):
    objective, w, v = problem.objective, problem.w, problem.v
    value, gradient = problem.expected()
    answer, slope = objective.value_and_gradient(w)
    assert (slope.shape, slope.dtype) == (w.shape, w.dtype)
    for found in (answer, objective.value(w)):
        assert_close(found, value, problem)
    assert_close(slope, gradient, problem)
    if w.size <= 150:
        hessian = problem.hessian()
        assert_close(objective.hessian(w), hessian, problem)
        assert_close(objective.hessian_product(w, v), (hessian @ v.ravel()).reshape(v.shape), problem)


# Against the reference


@each_order
@each_dtype
@pytest.mark.parametrize("k", CLASSES)
def test_follows_the_reference(isa, k, dtype, order):
    for n, d in SIZES:
        for setting in SETTINGS:
            check(Problem(n, d, k, order, dtype, **setting))


@each_order
@each_dtype
@pytest.mark.parametrize("shape", BIG)
def test_follows_the_reference_over_many_chunks(shape, dtype, order):
    with st.threads(3):
        check(Problem(*shape, order, dtype, weighted=True, alpha=0.3, l1_ratio=0.4))


@each_order
@pytest.mark.parametrize("shape", [(33, 3), (50, 40), (1201, 100)])
@pytest.mark.parametrize("storage", NARROW)
def test_narrow_data(isa, storage, shape, order):
    problem = Problem(*shape, 5, order, np.float32, weighted=True)
    X, y, s = problem.data
    stored, X = rounded(X, storage)
    narrow, wide = (st.Softmax(data, y, sample_weight=s, n_classes=5) for data in (stored, X))
    assert_close(narrow.gradient(problem.w), wide.gradient(problem.w), problem)
    assert_close(narrow.hessian_product(problem.w, problem.v), wide.hessian_product(problem.w, problem.v), problem)
    assert_close(narrow.hessian(problem.w[:, :]), wide.hessian(problem.w), problem)
    for batch_size in (1, 16):
        runs = [
            st.minimize(o, optimizer=st.Momentum(0.01), batch_size=batch_size, max_epochs=1, random_state=0).w
            for o in (narrow, wide)
        ]
        np.testing.assert_allclose(*runs, rtol=1e-3, atol=1e-5)


@each_order
def test_error_of_a_float32_gradient_does_not_grow_with_the_rows(order):
    errors = []
    for n in (2000, 200_000):
        problem = Problem(n, 8, 4, order, np.float32)
        gradient = problem.expected()[1]
        errors.append(np.abs(problem.objective.gradient(problem.w) - gradient).max())
    assert errors[1] <= max(errors[0], 2e-8)


# The formula


@pytest.mark.parametrize("setting", SETTINGS)
@given(seed=some.integers(0, 1000), k=some.integers(2, 8), d=some.integers(1, 9))
def test_finite_differences(setting, seed, k, d):
    problem = Problem(30, d, k, **setting)
    objective, w, h = problem.objective, problem.drawn(seed), 1e-5
    w = w + 2 * h * np.sign(w)  # a difference across the kink of the L1 norm at 0 is no slope
    l1 = problem.alpha * problem.l1_ratio * problem.penalised * np.sign(w)
    units = np.eye(w.size).reshape(-1, *w.shape)
    slopes = [(objective.value(w + h * e) - objective.value(w - h * e)) / (2 * h) for e in units]
    np.testing.assert_allclose((objective.gradient(w) + l1).ravel(), slopes, atol=1e-8)
    changes = [((objective.gradient(w + h * e) - objective.gradient(w - h * e)) / (2 * h)).ravel() for e in units]
    np.testing.assert_allclose(objective.hessian(w), changes, atol=1e-8)
    np.testing.assert_allclose([objective.hessian_product(w, e).ravel() for e in units], changes, atol=1e-8)


@each_order
@each_dtype
def test_extreme_scores_neither_overflow_nor_cancel(isa, dtype, order):
    rows = np.concatenate([-np.logspace(-4, 8, 25), np.logspace(-4, 8, 25)]).astype(dtype)
    X, w = np.asfortranarray(rows[:, None]) if order == "F" else rows[:, None], np.array([[1.0], [0.0], [-1.0]], dtype)
    for label in range(3):
        for x, y in zip(X, np.full(len(X), label, dtype), strict=True):
            objective = st.Softmax(np.array([x], dtype), np.array([y], dtype), intercept=False, n_classes=3)
            value, gradient = objective.value_and_gradient(w)
            right, slope = reference.softmax(np.array([x]), np.array([y]), w, intercept=False)
            np.testing.assert_allclose(value, right, rtol=8 * np.finfo(dtype).eps, atol=8 * np.finfo(dtype).tiny)
            scale = np.finfo(dtype).tiny * max(1.0, abs(float(x[0])))
            np.testing.assert_allclose(gradient, slope, rtol=16 * np.finfo(dtype).eps, atol=8 * scale)
    objective = st.Softmax(X, np.zeros(len(X), dtype), intercept=False, n_classes=3)
    assert np.isfinite(objective.value(w))


@each_order
@pytest.mark.parametrize("at", [0, 16, 100])
def test_a_nan_is_never_swallowed(isa, order, at):
    X, y, _ = Problem(101, 9, 4, order).data
    X = X.copy(order=order)
    X[at, 3] = np.nan
    value, gradient = st.Softmax(X, y).value_and_gradient(np.ones((4, 10)))
    assert np.isnan(value)
    assert np.isnan(gradient[:, [3, 9]]).all()


@each_order
@each_dtype
def test_two_classes_are_a_logistic_regression(isa, dtype, order):
    problem = Problem(500, 12, 2, order, dtype, weighted=True)
    X, y, s = problem.data
    w = problem.w
    value, gradient = problem.objective.value_and_gradient(w)
    right, slope = st.Logistic(X, y, sample_weight=s).value_and_gradient(w[1] - w[0])
    assert_close(value, right, problem)
    assert_close(gradient, np.stack([-slope, slope]), problem)


# The same bits


@each_order
@each_dtype
@pytest.mark.parametrize("shape", [(20_001, 17, 3), (700, 300, 10)])
def test_same_bits_for_any_number_of_threads(shape, dtype, order):
    problem = Problem(*shape, order, dtype, weighted=True, alpha=0.1)
    objective, w, v = problem.objective, problem.w, problem.v
    found = set()
    for threads in (1, 2, 3, 8):
        with st.threads(threads):
            run = st.minimize(objective, w, st.Adam(), batch_size=300, max_epochs=1, random_state=0)
            answers = objective.gradient(w), objective.hessian_product(w, v), run.w
            found.add((objective.value(w), *(answer.tobytes() for answer in answers)))
    assert len(found) == 1

"""`st.Softmax`: its passes against the NumPy reference at every ISA level, its formula, its bits, its errors."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

import steepest as st
from steepest import reference

SIZES = [(1, 1), (7, 3), (9, 8), (33, 31), (130, 17), (64, 100)]
CLASSES = [2, 3, 4, 7, 10, 17, 100]
SETTINGS: list[dict[str, Any]] = [
    {},
    {"intercept": False, "weighted": True},
    {"weighted": True, "alpha": 0.3, "l1_ratio": 0.4},
]
BIG = [(3001, 784, 10), (60_001, 9, 3), (20, 9000, 4)]
TOLERANCE = {np.float32: 4e-6, np.float64: 1e-14}

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_order = pytest.mark.parametrize("order", ["C", "F"])


@dataclass(frozen=True)
class Problem:
    """A random problem, its objective and what the reference says of it."""

    n: int = 40
    d: int = 5
    k: int = 3
    order: str = "C"
    dtype: type = np.float64
    weighted: bool = False
    intercept: bool = True
    alpha: float = 0.0
    l1_ratio: float = 0.0

    @cached_property
    def data(self):
        rng = np.random.default_rng(self.n + self.d)
        X, y = rng.standard_normal((self.n, self.d)), rng.integers(0, self.k, self.n)
        s = rng.uniform(0.2, 3.0, self.n).astype(self.dtype) if self.weighted else None
        return np.asarray(X, self.dtype, order=self.order), y.astype(self.dtype), s

    @property
    def options(self):
        return {"intercept": self.intercept, "alpha": self.alpha, "l1_ratio": self.l1_ratio}

    @property
    def objective(self):
        X, y, s = self.data
        return st.Softmax(X, y, sample_weight=s, n_classes=self.k, **self.options)

    @property
    def penalised(self):
        penalised = np.ones(self.w.shape)
        penalised[:, self.d :] = 0.0
        return penalised

    def drawn(self, seed):
        shape = self.k, self.d + self.intercept
        return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(self.d)).astype(self.dtype)

    @property
    def w(self):
        return self.drawn(1)

    @property
    def v(self):
        return self.drawn(2)

    def expected(self):
        X, y, s = self.data
        return reference.softmax(X, y, self.w, sample_weight=s, **self.options)

    def hessian(self):
        X, y, s = self.data
        return reference.softmax_hessian(X, y, self.w, sample_weight=s, **self.options)


def assert_close(actual, expected, problem):
    expected = np.asarray(expected)
    tolerance = TOLERANCE[problem.dtype] * np.abs(expected).max() * (4 if problem.n > 10_000 else 1)
    np.testing.assert_allclose(actual, expected, rtol=0, atol=tolerance, err_msg=str(problem))


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
@pytest.mark.parametrize("storage", ["float16", "bfloat16"])
def test_data_of_16_bits(isa, storage, shape, order):
    problem = Problem(*shape, 5, order, np.float32, weighted=True)
    X, y, s = problem.data
    if storage == "float16":
        stored, X = X.astype(np.float16), X.astype(np.float16).astype(np.float32)
    else:
        bits = X.view(np.uint32) >> 16
        stored = bits.astype(np.uint16).view([("bfloat16", "<u2")])
        X = (bits << 16).view(np.float32)
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


# Shapes and names


def test_answers_in_the_shape_of_the_parameters():
    problem = Problem(k=4)
    objective, w = problem.objective, problem.w
    assert objective.parameters_shape == w.shape == (4, 6)
    assert (objective.n_classes, objective.n_parameters) == (4, 24)
    assert objective.value(w) == objective.value(w.ravel())
    for method in (objective.gradient, lambda w: objective.hessian_product(w, w)):
        flat = method(w.ravel())
        assert flat.shape == (24,)
        np.testing.assert_array_equal(method(w), flat.reshape(4, 6))


def test_classes_are_counted_and_may_be_absent():
    X = np.eye(4)
    assert st.Softmax(X, np.array([0.0, 3.0, 1.0, 0.0])).n_classes == 4
    assert st.Softmax(X, np.array([1.0, 1.0, 1.0, 1.0]), n_classes=5).n_classes == 5


def test_pickles():
    objective = Problem(weighted=True, alpha=0.1).objective
    twin = pickle.loads(pickle.dumps(objective))
    w = np.ones(objective.parameters_shape)
    np.testing.assert_array_equal(twin.gradient(w), objective.gradient(w))


def test_curvature_and_model_take_the_matrix():
    problem = Problem(alpha=0.1)
    found = st.curvature(problem.objective, problem.w)
    np.testing.assert_allclose(found.eigenvalues, np.linalg.eigvalsh(problem.hessian()), atol=1e-12)
    assert found.standardised_condition_number is None
    assert st.taylor(problem.objective, problem.w).n_parameters == problem.w.size


@pytest.mark.parametrize(
    ("y", "n_classes", "message"),
    [
        ([0.0, 1.5, 1.0], None, r"integers from 0, got 1.5 at index 1"),
        ([0.0, 1.0, -1.0], None, r"got -1 at index 2"),
        ([0.0, 1.0, 3.0], 3, r"integers from 0 to n_classes - 1 = 2, got 3 at index 2"),
        ([0.0, 0.0, 0.0], None, r"two classes or more"),
        ([0.0, 1e300, 0.0], None, r"which float64 tells apart, got 1e\+300 at index 1"),
        ([0.0, 1.0, 1.0], 1, r"n_classes must be .* 2.*got 1"),
    ],
)
def test_labels_must_be_those_of_the_classes(y, n_classes, message):
    with pytest.raises(ValueError, match=message):
        st.Softmax(np.ones((3, 2)), np.array(y), n_classes=n_classes)


@pytest.mark.parametrize("w", [np.ones((5, 3)), np.ones(17), np.ones((6, 3)).T])
def test_parameters_of_another_shape(w):
    objective = Problem().objective
    for method in (objective.value, objective.gradient, objective.hessian, lambda w: st.minimize(objective, w)):
        with pytest.raises(ValueError, match=r"w0? must be a contiguous float64 array of shape \(3, 6\) or \(18,\)"):
            method(w)


def test_parameters_of_another_dtype():
    with pytest.raises(TypeError, match=r"w must be a contiguous float64 array"):
        Problem().objective.value(np.ones((3, 6), np.float32))


def test_loss_on_other_data_keeps_the_classes():
    objective = replace(Problem(k=5), alpha=0.5).objective
    other = objective.loss_on(np.ones((2, 5)), np.array([0.0, 1.0]))
    assert (other.n_classes, other.alpha) == (5, 0.0)

"""`st.Softmax` with standardised columns, the shapes it takes and gives, its labels and its errors."""

from __future__ import annotations

import pickle
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

import steepest as st
from softmax_problems import Problem, each_dtype, each_order
from steepest import _core

# Standardised columns


def pair(dtype, order, distance, intercept):
    """An objective of raw columns, its twin of standardised float64 copies, and two points."""
    problem = Problem(300, 12, 4, order, dtype, weighted=True, alpha=0.2, l1_ratio=0.5, intercept=intercept)
    X, y, s = problem.data
    rng = np.random.default_rng(3)
    centre, scale = distance * rng.standard_normal(12), rng.uniform(0.5, 2.0, 12)
    raw = np.asarray(X * scale + centre, dtype, order=order)
    exact = (raw.astype(float) - centre) / scale
    scaled = st.Softmax(raw, y, sample_weight=s, n_classes=4, centre=centre, scale=scale, **problem.options)
    plain = st.Softmax(exact, y.astype(float), sample_weight=s.astype(float), n_classes=4, **problem.options)
    return scaled, plain, problem.w, problem.v


def passes(objective, w, v):
    return objective.value(w), objective.gradient(w), objective.hessian_product(w, v), objective.hessian(w)


def runs(objective):
    for batch_size in (1, 32):
        options = {"batch_size": batch_size, "max_epochs": 1, "random_state": 0}
        yield st.minimize(objective, optimizer=st.Momentum(0.01), **options).w


@lru_cache(maxsize=2)
def expected_of(dtype, distance, intercept):
    """What the twin gives at every level and in every order."""
    _, plain, w, v = pair(dtype, "C", distance, intercept)
    return passes(plain, w.astype(float), v.astype(float)), list(runs(plain))


@pytest.mark.parametrize("isa", _core.isa_levels_supported(), indirect=True)
@each_order
@each_dtype
@pytest.mark.parametrize("distance", [3.0, 1000.0])  # blocks are standardised where means are that large
def test_centre_and_scale_are_those_of_standardised_columns(isa, dtype, order, distance):
    single = dtype is np.float32
    for intercept in (True, False):
        scaled, _, w, v = pair(dtype, order, distance, intercept)
        expected = expected_of(dtype, distance, intercept)
        for got, wanted in zip(passes(scaled, w, v), expected[0], strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 if single else 1e-11)
        for got, wanted in zip(runs(scaled), expected[1], strict=True):
            np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4 if single else 1e-10)


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
        ([0.0, 1e300, 0.0], None, r"which float64 can tell apart, got 1e\+300 at index 1"),
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

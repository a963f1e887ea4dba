"""`st.Softmax` over dense arrays on a device, against that of the CPU, and every bad argument of it."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from device_arrays import on_device
from softmax_problems import Problem
from steepest.arrays.device import DeviceArray
from steepest.objectives import device_rows
from test_device_objectives import close, each_dtype


def there(problem, **more):
    """The objective of a problem, over arrays on a device."""
    X, y, s = problem.data
    weight = None if s is None else on_device(s)
    options = {"n_classes": problem.k, **problem.options, **more}
    return st.Softmax(on_device(X, problem.order), on_device(y), sample_weight=weight, **options)


@each_dtype
@pytest.mark.parametrize(("order", "weighted", "intercept"), [("C", False, True), ("F", True, False)])
def test_an_objective_is_that_of_the_cpu(cuda, dtype, order, weighted, intercept):
    problem = Problem(70, 5, 4, order, dtype, weighted, intercept, alpha=0.1, l1_ratio=0.3)
    ours, theirs, w, v = there(problem), problem.objective, problem.w, problem.v
    assert (ours.device, ours.n_classes, ours.parameters_shape) == (0, 4, theirs.parameters_shape)
    at = on_device(w)
    value, gradient = ours.value_and_gradient(at)
    assert gradient.shape == w.shape
    close(value, theirs.value(w), dtype)
    close(ours.value(at), value, dtype)
    close(gradient, theirs.gradient(w), dtype)
    close(ours.gradient(on_device(w.ravel())), gradient.numpy().ravel(), dtype)
    close(ours.hessian_product(at, on_device(v)), theirs.hessian_product(w, v), dtype)
    out = on_device(np.full_like(w, np.nan))
    assert ours.value_and_gradient(at, out=out) == (value, out)
    np.testing.assert_array_equal(out.numpy(), gradient.numpy())


@pytest.mark.parametrize("on_host", [True, False])
def test_a_hessian_is_that_of_the_cpu(cuda, monkeypatch, on_host):
    """Whether it is made of copies of the rows, or of products for each parameter."""
    monkeypatch.setattr(device_rows._Passes, "_is_cheaper_on_the_host", lambda self: on_host)
    problem = Problem(50, 4, 3, weighted=True, alpha=0.1)
    close(there(problem).hessian(on_device(problem.w)), problem.hessian(), np.float64)
    scaling = {"centre": np.linspace(-0.2, 0.2, 4), "scale": np.linspace(0.5, 2.0, 4)}
    X, y, s = problem.data
    theirs = st.Softmax(X, y, sample_weight=s, alpha=0.1, **scaling)
    close(there(problem, **scaling).hessian(on_device(problem.w)), theirs.hessian(problem.w), np.float64)


def test_centre_scale_and_factors_of_the_penalty(cuda):
    problem = Problem(60, 4, 3, alpha=0.1)
    X, y, _ = problem.data
    for more in (
        {"centre": np.linspace(-0.2, 0.2, 4), "scale": np.linspace(0.5, 2.0, 4)},
        {"penalty_weight": np.array([0.0, 1.0, 2.0, 0.5])},
    ):
        ours, theirs = there(problem, **more), st.Softmax(X, y, alpha=0.1, **more)
        value, gradient = ours.value_and_gradient(on_device(problem.w))
        close(value, theirs.value(problem.w), np.float64)
        close(gradient, theirs.gradient(problem.w), np.float64)
        assert st.minimize(ours).value == pytest.approx(st.minimize(theirs).value, rel=1e-10)


@pytest.mark.parametrize(
    "optimizer",
    [None, st.Adam(0.1), st.GradientDescent("auto"), st.Momentum(0.2)],
    ids=lambda each: type(each).__name__,
)
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_a_run_ends_where_that_of_the_cpu_does(cuda, optimizer, l1_ratio):
    problem = Problem(120, 5, 3, alpha=0.05, l1_ratio=l1_ratio)
    options = {"optimizer": optimizer, "max_epochs": 60, "diagnose": False}
    ours, theirs = st.minimize(there(problem), **options), st.minimize(problem.objective, **options)
    assert isinstance(ours.w, DeviceArray)
    assert ours.w.shape == (3, 6)
    assert ours.stop_reason == theirs.stop_reason
    assert ours.value == pytest.approx(theirs.value, rel=1e-10)
    np.testing.assert_allclose(ours.w.numpy(), theirs.w, rtol=0, atol=1e-7)


def test_a_run_from_a_start_on_the_device(cuda):
    problem = Problem(60, 4, 3, alpha=0.05)
    X, y, _ = problem.data
    for start in (problem.w, problem.w.ravel()):
        ours = st.minimize(
            there(problem), on_device(start), st.Adam(0.1), max_epochs=5, validation=(on_device(X), on_device(y))
        )
        theirs = st.minimize(problem.objective, start, st.Adam(0.1), max_epochs=5, validation=(X, y))
        np.testing.assert_allclose(ours.history["validation_loss"], theirs.history["validation_loss"], rtol=1e-12)
        np.testing.assert_allclose(ours.w.numpy(), theirs.w, rtol=0, atol=1e-10)


def test_a_loop_of_steps_on_the_device(cuda):
    small = Problem(40, 3, 3, alpha=0.05)
    objective, optimizer, w = there(small), st.Adam(0.1), on_device(np.zeros((3, 4)))
    values = []
    for _ in range(5):
        value, gradient = objective.value_and_gradient(w)
        optimizer.step(w, gradient)
        values.append(value)
    assert values == sorted(values, reverse=True)
    run = st.minimize(there(small), optimizer=st.Adam(0.1), max_epochs=5, diagnose=False)
    np.testing.assert_allclose(values, run.history["loss"][:5], rtol=1e-12)


def test_other_methods(cuda):
    problem = Problem(60, 4, 3, alpha=0.05)
    ours, theirs, w = there(problem), problem.objective, on_device(problem.w)
    assert st.curvature(ours, w).max_learning_rate == pytest.approx(
        st.curvature(theirs, problem.w).max_learning_rate, rel=1e-8
    )
    assert st.taylor(ours, w).value == pytest.approx(st.taylor(theirs, problem.w).value, rel=1e-12)
    alphas = np.array([0.1, 0.02])
    paths = [st.path(each, alphas, l1_ratio=1.0, tol=1e-9) for each in (ours, theirs)]
    np.testing.assert_allclose(paths[0].values, paths[1].values, rtol=1e-7)
    box = {"optimizer": st.GradientDescent(0.1), "constraint": st.Box(0, 1), "max_epochs": 5, "diagnose": False}
    np.testing.assert_allclose(st.minimize(ours, **box).w.numpy(), st.minimize(theirs, **box).w, rtol=0, atol=1e-12)
    starts = {"optimizer": st.Adam(), "starts": 2, "random_state": 0, "max_epochs": 3, "diagnose": False}
    assert st.minimize(ours, **starts).value == pytest.approx(st.minimize(theirs, **starts).value, rel=1e-12)


@pytest.mark.parametrize(
    "bad",
    [np.array([0.0, 1.0, -1.0]), np.array([0.0, 1.5, 1.0]), np.array([0.0, 1.0, 3.0]), np.zeros(3)],
    ids=["below 0", "no integer", "too large", "one class"],
)
def test_bad_labels_give_the_errors_of_the_cpu(cuda, bad):
    X, n_classes, told = np.ones((3, 2)), 3 if bad.any() else None, []
    for rows, labels in ((X, bad), (on_device(X), on_device(bad))):
        with pytest.raises(ValueError, match=r"^y must hold ") as raised:
            st.Softmax(rows, labels, n_classes=n_classes)
        told.append(str(raised.value))
    assert told[0] == told[1]


def test_bad_arguments_are_named(cuda):
    problem = Problem(20, 4, 3)
    objective, w = there(problem), problem.w
    X, y, _ = problem.data
    at = on_device(w)
    for call, error, told in (
        (lambda: objective.value(on_device(w[:2].copy())), ValueError, r"^w must be .* shape \(3, 5\) or \(15,\), got"),
        (lambda: objective.value(w), ValueError, "^w must be in the memory of CUDA device 0"),
        (lambda: objective.value(on_device(w.astype(np.float32))), TypeError, "^w must be a contiguous float64 array"),
        (lambda: objective.value(on_device(w, "F")), ValueError, r"^w must be a contiguous .* with strides \(1, 3\)"),
        (lambda: objective.value_and_gradient(at, out=at), ValueError, "^out must not overlap w"),
        (lambda: st.minimize(objective, w), ValueError, "^w0 must be in the memory of CUDA device 0"),
        (lambda: st.minimize(objective, on_device(w[:, :3].copy())), ValueError, r"^w0 must be .* shape \(3, 5\) or"),
        (lambda: st.minimize(objective, batch_size=5), ValueError, "^batch_size=5 needs .* use batch_size=None"),
        (lambda: st.Softmax(on_device(X), y), ValueError, "^y must be in the memory of CUDA device 0"),
        (lambda: there(problem, offset=np.zeros((20, 3))), NotImplementedError, "^offset must be None"),
        (lambda: st.Softmax(on_device(np.ones((2, 50_000))), on_device(y[:2]), n_classes=3), ValueError,
         "^X must have fewer columns, or fewer classes, for Softmax on this GPU"),
    ):  # fmt: skip
        with pytest.raises(error, match=told):
            call()


def test_the_same_bits_every_time(cuda):
    problem = Problem(300, 5, 4, dtype=np.float32, alpha=0.01)
    first, again = (st.minimize(there(problem)) for _ in range(2))
    np.testing.assert_array_equal(first.w.numpy(), again.w.numpy())

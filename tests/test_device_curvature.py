"""Hessians, curvature, Taylor models and automatic learning rates over dense data on a device: those of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, Problem, each_loss
from device_arrays import csr_on_device, on_device
from steepest.arrays.device import DeviceArray
from steepest.descent.auto_rate import AutoRate
from steepest.objectives import device_rows
from steepest.optimizers.runner_for import runner_for
from storages import NARROW, rounded
from test_cuda_sparse import problem as problem_of
from test_cuda_sparse import rows_of
from test_device_runs import assert_same, both, there

TOLERANCE = {np.float32: 3e-5, np.float64: 1e-11}
ON_HOST = (True, False)  # whether the whole Hessian is made of copies of the rows, or of products on the device


@pytest.fixture(params=ON_HOST, ids=["copies", "products"])
def by_copies(request, monkeypatch):
    monkeypatch.setattr(device_rows._Passes, "_is_cheaper_on_the_host", lambda self: request.param)


def close(found, expected, dtype):
    found = found.numpy() if isinstance(found, DeviceArray) else np.asarray(found)
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype] * max(np.abs(expected).max(), 1.0))


def point(problem, seed=0):
    return np.random.default_rng(seed).standard_normal(problem.w0.size).astype(problem.dtype)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("intercept", [True, False])
def test_products_and_the_whole_hessian(cuda, by_copies, loss, dtype, order, intercept):
    problem = Problem(loss, n=40, d=6, order=order, dtype=dtype, weighted=True, intercept=intercept, alpha=0.2)
    ours, theirs = there(problem), problem.objective
    w, v = problem.w0, point(problem)
    product, hessian = ours.hessian_product(on_device(w), on_device(v)), ours.hessian(on_device(w))
    assert isinstance(product, DeviceArray)
    assert isinstance(hessian, DeviceArray)
    assert (hessian.shape, hessian.dtype) == ((w.size, w.size), dtype)
    close(product, theirs.hessian_product(w, v), dtype)
    close(hessian, theirs.hessian(w), dtype)
    np.testing.assert_array_equal(hessian.numpy(), hessian.numpy().T)


@pytest.mark.parametrize("storage", NARROW)
def test_narrow_data(cuda, by_copies, storage):
    X, y, _ = Problem(dtype=np.float32).data
    stored, widened = rounded(X, storage)
    ours = st.LeastSquares(on_device(stored), on_device(y))
    w = Problem(dtype=np.float32).w0
    close(ours.hessian(on_device(w)), st.LeastSquares(widened, y).hessian(w), np.float32)


@each_loss
@pytest.mark.parametrize("method", ["dense", "lanczos"])
def test_curvature(cuda, loss, method):
    if method == "lanczos":
        pytest.importorskip("scipy")
    problem = Problem(loss, n=40, d=6, weighted=True, alpha=0.1)
    ours = st.curvature(there(problem), on_device(problem.w0), method=method)
    theirs = st.curvature(problem.objective, problem.w0, method=method)
    np.testing.assert_allclose(ours.eigenvalues, theirs.eigenvalues, rtol=1e-8)
    np.testing.assert_allclose(ours.gradient, theirs.gradient, rtol=1e-9, atol=1e-12)
    assert ours.gradient_norm == pytest.approx(theirs.gradient_norm, rel=1e-10)
    assert (ours.kind, ours.method, ours.condition_number) == (
        theirs.kind, theirs.method, pytest.approx(theirs.condition_number, rel=1e-7)
    )  # fmt: skip
    assert str(ours) == str(theirs)


@each_loss
def test_taylor(cuda, loss):
    problem = Problem(loss, n=40, d=6, alpha=0.1)
    ours, theirs = st.taylor(there(problem), on_device(problem.w0)), st.taylor(problem.objective, problem.w0)
    assert ours.value == pytest.approx(theirs.value, rel=1e-12)
    close(ours.gradient, theirs.gradient, np.float64)
    close(ours.hessian, theirs.hessian, np.float64)
    assert ours(theirs.point + 0.1) == pytest.approx(theirs(theirs.point + 0.1), rel=1e-10)


@pytest.mark.parametrize("call", [st.curvature, st.taylor])
def test_the_point_is_on_the_device(cuda, call):
    with pytest.raises(ValueError, match=r"^w must be in the memory of CUDA device 0, where the data are"):
        call(there(), Problem("logistic", d=6).w0)
    with pytest.raises(ValueError, match=r"^w must be a contiguous float64 array of shape \(7,\)"):
        call(there(), on_device(np.zeros(5)))


@each_loss
@pytest.mark.parametrize("batch_size", [None, 16])
@pytest.mark.parametrize("rule", [st.GradientDescent, st.Momentum])
def test_automatic_rates(cuda, loss, rule, batch_size):
    problem = Problem(loss, n=40, d=6, weighted=True, alpha=0.05)
    ours, theirs = both(problem, lambda: rule("auto"), batch_size=batch_size, max_epochs=12, diagnose=False)
    assert_same(ours, theirs)


def failing():
    """A start far out, where the curvature of a Poisson loss is small beside that on the way: steps are taken back."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3))
    y = rng.poisson(np.exp(X @ [0.5, -0.3, 0.2])).astype(float)
    return X, y, np.array([-3.0, 2.0, 1.0, -2.0])


@pytest.mark.parametrize("rule", [st.GradientDescent, st.Momentum])
def test_steps_that_are_taken_back(cuda, rule, monkeypatch):
    X, y, w0 = failing()
    calls = []
    take_back = AutoRate.take_back
    monkeypatch.setattr(AutoRate, "take_back", lambda self, runner: calls.append(1) or take_back(self, runner))
    options = {"max_epochs": 40, "diagnose": False, "record_path": True}
    theirs = st.minimize(st.Poisson(X, y), w0, rule("auto"), **options)
    n_taken_back = len(calls)
    ours = st.minimize(st.Poisson(on_device(X), on_device(y)), on_device(w0), rule("auto"), **options)
    assert n_taken_back > 0
    assert len(calls) == 2 * n_taken_back
    np.testing.assert_allclose(ours.path, theirs.path, rtol=1e-6, atol=1e-8)


def test_a_runner_goes_on_from_where_w_is_put(cuda):
    problem = Problem("logistic", n=40, d=6)
    w = problem.w0.copy()
    optimizer = st.Momentum(0.1)
    runner = runner_for(there(problem), optimizer, w)
    runner.evaluate()
    runner.run(np.full(1, 0.1), 60.0, None)
    runner.restore()
    w[:] = 0.25
    runner.put()
    optimizer.forget()
    expected = problem.objective.value(np.full(w.size, 0.25))
    assert runner.evaluate().value == pytest.approx(expected, rel=1e-12)
    path = np.empty((1, w.size))
    runner.run(np.full(1, 0.1), 60.0, path)
    gradient = problem.objective.gradient(np.full(w.size, 0.25))
    np.testing.assert_allclose(path[0], 0.25 - 0.1 * gradient, rtol=1e-12)


def test_a_diagnosis_knows_the_curvature(cuda):
    problem = Problem("least_squares", n=40, d=6)
    found = []
    for objective in (there(problem), problem.objective):
        with pytest.warns(st.DiagnosisWarning):
            found.append(st.minimize(objective, optimizer=st.GradientDescent(1e-5), max_epochs=60).diagnosis)
    assert found[0].kind == found[1].kind != ""
    assert str(found[0]) == str(found[1])


def test_freed_memory_is_told(cuda):
    X, y, _ = Problem("logistic", n=40, d=6).data
    there = on_device(X)
    objective, w = st.Logistic(there, on_device(y)), on_device(np.zeros(7))
    there._buffer.free()
    for call in (
        lambda: objective.hessian_product(w, w),
        lambda: objective.hessian(w),
        lambda: st.taylor(objective, w),
    ):
        with pytest.raises(ValueError, match=r"^X must be memory of CUDA device 0, got an address that is not"):
            call()


def sparse_pair(loss, seed=0):
    """The same sparse rows on a device and on the host, and a point."""
    X = rows_of(60, 5, seed=seed)
    y, weight, w, _ = problem_of(loss, X, np.float64)
    options = {"alpha": 0.1}
    ours = LOSSES[loss].objective(csr_on_device(X), on_device(y), sample_weight=on_device(weight), **options)
    return ours, LOSSES[loss].objective(X, y, sample_weight=weight, **options), w


@each_loss
def test_sparse_rows(cuda, loss):
    ours, theirs, w = sparse_pair(loss)
    found, expected = st.curvature(ours, on_device(w)), st.curvature(theirs, w)
    np.testing.assert_allclose(found.eigenvalues, expected.eigenvalues, rtol=1e-9)
    assert found.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-10)
    close(st.taylor(ours, on_device(w)).hessian, st.taylor(theirs, w).hessian, np.float64)


@each_loss
@pytest.mark.parametrize("rule", [st.GradientDescent, st.Momentum])
def test_automatic_rates_of_sparse_rows(cuda, loss, rule):
    ours, theirs, w = sparse_pair(loss)
    options = {"max_epochs": 12, "diagnose": False, "record_path": True}
    found = st.minimize(ours, on_device(w), rule("auto"), **options)
    expected = st.minimize(theirs, w, rule("auto"), **options)
    assert isinstance(found.w, DeviceArray)
    np.testing.assert_allclose(found.path, expected.path, rtol=1e-8, atol=1e-10)


@each_loss
def test_a_diagnosis_of_sparse_rows(cuda, loss):
    found = []
    for objective in sparse_pair(loss)[:2]:
        with pytest.warns(st.DiagnosisWarning):
            found.append(st.minimize(objective, optimizer=st.GradientDescent(1e-6), max_epochs=60).diagnosis)
    assert found[0].kind == found[1].kind != ""

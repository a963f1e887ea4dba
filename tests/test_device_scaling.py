"""Centre, scale and factors of penalties over dense data on a device: those of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, each_loss
from device_arrays import on_device
from steepest.arrays.device import DeviceArray
from steepest.objectives import device_rows
from storages import NARROW, rounded

TOLERANCE = {np.float32: 3e-4, np.float64: 1e-10}
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
GIVEN = ("centre", "penalty_weight", "both")


def both(loss, dtype=np.float64, order="C", given="centre", weighted=False, intercept=True, n=80, d=5, **options):
    """The objective on a device and on the CPU, a point and a direction."""
    rng = np.random.default_rng(0)
    X = (LOSSES[loss].deviation * rng.standard_normal((n, d)) * np.geomspace(0.1, 10.0, d) + 3.0).astype(dtype)
    y = LOSSES[loss].targets(rng.standard_normal(n)).astype(dtype)
    weight = rng.uniform(0.3, 2.0, n).astype(dtype) if weighted else None
    options = {"intercept": intercept, "alpha": 0.05, **options}
    if given != "penalty_weight":
        options |= {"centre": X.mean(axis=0, dtype=float), "scale": X.std(axis=0, dtype=float)}
    if given != "centre":
        options["penalty_weight"] = np.array([0.0, 1.0, 2.0, np.inf, 0.5])
    there = on_device(weight) if weighted else None
    ours = LOSSES[loss].objective(on_device(X, order), on_device(y), sample_weight=there, **options)
    theirs = LOSSES[loss].objective(np.asarray(X, order=order), y, sample_weight=weight, **options)
    w, v = (0.3 * rng.standard_normal((2, d + intercept))).astype(dtype)
    if given != "centre":
        w[3] = v[3] = 0.0
    return ours, theirs, w, v


def close(found, expected, dtype):
    assert isinstance(found, DeviceArray)
    assert found.dtype == dtype
    size = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=TOLERANCE[dtype] * size)


@each_loss
@each_dtype
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intercept", [False, True])
def test_an_objective_is_that_of_the_cpu(cuda, loss, dtype, order, given, weighted, intercept):
    ours, theirs, w, v = both(loss, dtype, order, given, weighted, intercept, l1_ratio=0.3)
    value, gradient = ours.value_and_gradient(on_device(w))
    assert value == pytest.approx(theirs.value(w), rel=TOLERANCE[dtype])
    assert ours.value(on_device(w)) == value
    close(gradient, theirs.gradient(w), dtype)
    close(ours.hessian_product(on_device(w), on_device(v)), theirs.hessian_product(w, v), dtype)


@each_loss
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("copies", [True, False])
def test_whole_hessians(cuda, monkeypatch, loss, given, copies):
    monkeypatch.setattr(device_rows._Passes, "_is_cheaper_on_the_host", lambda self: copies)
    ours, theirs, w, _ = both(loss, given=given)
    close(ours.hessian(on_device(w)), theirs.hessian(w), np.float64)


@pytest.mark.parametrize("storage", NARROW)
def test_narrow_data(cuda, storage):
    rng = np.random.default_rng(0)
    stored, widened = rounded(2.0 + rng.standard_normal((60, 4)), storage)
    y = rng.standard_normal(60).astype(np.float32)
    options = {"centre": widened.mean(axis=0, dtype=float), "scale": widened.std(axis=0, dtype=float)}
    ours, theirs = st.Huber(on_device(stored), on_device(y), **options), st.Huber(widened, y, **options)
    w = rng.standard_normal(5).astype(np.float32)
    close(ours.gradient(on_device(w)), theirs.gradient(w), np.float32)


@each_loss
@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize(
    "optimizer", [st.Adam, st.QuasiNewton, lambda: st.GradientDescent("auto"), lambda: st.Momentum("auto")]
)
def test_runs(cuda, loss, given, optimizer):
    ours, theirs, w, _ = both(loss, given=given)
    options = {"max_epochs": 15, "diagnose": False, "record_path": True}
    found = st.minimize(ours, on_device(w), optimizer(), **options)
    expected = st.minimize(theirs, w, optimizer(), **options)
    assert isinstance(found.w, DeviceArray)
    if isinstance(optimizer(), st.QuasiNewton):  # which knows other facts of the rows, and ends at the same place
        np.testing.assert_allclose(found.w.numpy(), expected.w, rtol=0, atol=1e-6)
    else:
        np.testing.assert_allclose(found.path, expected.path, rtol=0, atol=1e-8)
    assert found.value == pytest.approx(expected.value, rel=1e-9)


def test_validation_data(cuda):
    ours, theirs, w, _ = both("logistic")
    found, expected = (
        st.minimize(each, start, st.Adam(0.1), validation=(each.X, each.y), max_epochs=5)
        for each, start in ((ours, on_device(w)), (theirs, w))
    )
    np.testing.assert_allclose(found.history["validation_loss"], expected.history["validation_loss"], rtol=1e-10)


def test_statistics_are_those_of_standardised_columns(cuda):
    ours, theirs, *_ = both("least_squares")
    for found, expected in zip(ours.column_statistics(), theirs.column_statistics(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_curvature(cuda):
    ours, theirs, w, _ = both("logistic")
    found, expected = st.curvature(ours, on_device(w)), st.curvature(theirs, w)
    np.testing.assert_allclose(found.eigenvalues, expected.eigenvalues, rtol=1e-9)


@each_dtype
def test_a_scaling_that_would_lose_digits_is_refused(cuda, dtype):
    X, y = np.ones((4, 3), dtype), np.ones(4, dtype)
    far = {np.float32: 201.0, np.float64: 1.1e5}[dtype]
    near = {np.float32: 199.0, np.float64: 0.9e5}[dtype]
    st.LeastSquares(on_device(X), on_device(y), centre=np.array([near, 0.0, 0.0]), scale=np.ones(3))
    with pytest.raises(NotImplementedError, match=r"^centre and scale must have a norm of centre / scale of at most"):
        st.LeastSquares(on_device(X), on_device(y), centre=np.array([far, 0.0, 0.0]), scale=np.ones(3))
    with pytest.raises(NotImplementedError, match=r"standardise the columns, or make the objective from arrays in the"):
        st.LeastSquares(on_device(X), on_device(y), centre=np.zeros(3), scale=np.array([1.0, 1e-290, 1.0]))


@pytest.mark.parametrize("given", ["centre", "penalty_weight"])
def test_mini_batches_are_refused(cuda, given):
    ours, _, w, _ = both("logistic", given=given)
    with pytest.raises(ValueError, match=r"^batch_size=8 .* with centre and scale, penalty_weight or exposures"):
        st.minimize(ours, on_device(w), batch_size=8)


def test_places_are_checked(cuda):
    ours, _, w, _ = both("logistic")
    with pytest.raises(ValueError, match=r"^w must be in the memory of CUDA device 0"):
        ours.value(w)
    with pytest.raises(TypeError, match=r"^w must be a contiguous float64 array .* got float32"):
        ours.value(on_device(w.astype(np.float32)))


@pytest.mark.parametrize("given", GIVEN)
def test_a_gradient_is_written_where_it_is_wanted(cuda, given):
    ours, theirs, w, _ = both("logistic", given=given)
    out = DeviceArray.zeros(w.shape, "float64")
    value, found = ours.value_and_gradient(on_device(w), out=out)
    expected, gradient = theirs.value_and_gradient(w)
    assert found is out
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    np.testing.assert_allclose(out.numpy(), gradient, atol=1e-10)
    there = on_device(w)
    with pytest.raises(ValueError, match=r"^out must not overlap w"):
        ours.value_and_gradient(there, out=there)

"""Offsets of dense rows in a CUDA device's memory: objectives and runs are those of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, each_loss
from device_arrays import Interface, csr_on_device, on_device
from steepest.arrays.device import DeviceArray
from steepest.objectives import device_rows
from steepest.objectives.on_host import on_host
from storages import rounded
from test_cuda_sparse import rows_of

TOLERANCE = {np.float32: 3e-4, np.float64: 1e-10}
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def both(loss, dtype=np.float64, order="C", weighted=False, n=80, d=5, **options):
    """The objective on a device and on the CPU, a point and a direction."""
    rng = np.random.default_rng(0)
    X = (LOSSES[loss].deviation * rng.standard_normal((n, d)) + 0.3).astype(dtype)
    y = LOSSES[loss].targets(rng.standard_normal(n)).astype(dtype)
    offset = (0.7 * rng.standard_normal(n)).astype(dtype)
    weight = rng.uniform(0.3, 2.0, n).astype(dtype) if weighted else None
    options = {"alpha": 0.05, **options}
    there = on_device(weight) if weighted else None
    objective = LOSSES[loss].objective
    ours = objective(on_device(X, order), on_device(y), sample_weight=there, offset=on_device(offset), **options)
    theirs = objective(np.asarray(X, order=order), y, sample_weight=weight, offset=offset, **options)
    w, v = (0.3 * rng.standard_normal((2, d + 1))).astype(dtype)
    return ours, theirs, w, v


def close(found, expected, dtype):
    assert isinstance(found, DeviceArray)
    size = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(found.numpy(), expected, rtol=0, atol=TOLERANCE[dtype] * size)


@each_loss
@each_dtype
@pytest.mark.parametrize(("order", "d"), [("C", 5), ("F", 7), ("C", 1100), ("C", 40)])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_objective_is_that_of_the_cpu(cuda, loss, dtype, order, d, weighted):
    ours, theirs, w, v = both(loss, dtype, order, weighted, d=d, n=70)
    w, v = w / np.sqrt(d).astype(dtype), v / np.sqrt(d).astype(dtype)
    value, gradient = ours.value_and_gradient(on_device(w))
    assert value == pytest.approx(theirs.value(w), rel=TOLERANCE[dtype])
    close(gradient, theirs.gradient(w), dtype)
    out = on_device(np.zeros_like(w))
    assert ours.value_and_gradient(on_device(w), out=out)[0] == pytest.approx(value, rel=1e-12)
    close(out, theirs.gradient(w), dtype)
    close(ours.hessian_product(on_device(w), on_device(v)), theirs.hessian_product(w, v), dtype)


@each_loss
@pytest.mark.parametrize("copies", [True, False])
def test_whole_hessians(cuda, monkeypatch, loss, copies):
    monkeypatch.setattr(device_rows._Passes, "_is_cheaper_on_the_host", lambda self: copies)
    ours, theirs, w, _ = both(loss, weighted=True)
    close(ours.hessian(on_device(w)), theirs.hessian(w), np.float64)


@each_loss
@pytest.mark.parametrize("weighted", [False, True])
def test_facts_of_the_targets(cuda, loss, weighted):
    """What methods on the host know of the rows is what they know of rows there."""
    ours, theirs, *_ = both(loss, weighted=weighted)
    there = on_host(ours)
    np.testing.assert_allclose(there.constant_model(), theirs.constant_model(), rtol=1e-9, atol=1e-12)
    for name in ("size_of_slopes", "size_of_losses", "saturated_loss", "typical_curvature"):
        np.testing.assert_allclose(getattr(there, name), getattr(theirs, name), rtol=1e-9, err_msg=name)


@each_loss
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("optimizer", [st.Adam, st.QuasiNewton, lambda: st.GradientDescent("auto")])
def test_runs(cuda, loss, scaled, optimizer):
    scaling = {"centre": np.full(5, 0.3), "scale": np.full(5, 2.0)} if scaled else {}
    ours, theirs, w, _ = both(loss, weighted=True, **scaling)
    options = {"max_epochs": 15, "diagnose": False, "record_path": True}
    found = st.minimize(ours, on_device(w), optimizer(), **options)
    expected = st.minimize(theirs, w, optimizer(), **options)
    if isinstance(optimizer(), st.QuasiNewton):  # which knows other facts of the rows, and ends at the same place
        np.testing.assert_allclose(found.w.numpy(), expected.w, rtol=0, atol=1e-6)
    else:
        np.testing.assert_allclose(found.path, expected.path, rtol=0, atol=1e-8)
        np.testing.assert_allclose(found.history["loss"], expected.history["loss"], rtol=1e-8)
    assert found.value == pytest.approx(expected.value, rel=1e-9)


@each_loss
def test_mini_batches(cuda, loss):
    """Those of exposures have a constant beside the loss, which the device's loop does not know."""
    ours, theirs, w, _ = both(loss)
    options = {"batch_size": 16, "max_epochs": 3, "random_state": 0, "diagnose": False}
    if loss == "poisson":
        with pytest.raises(
            ValueError, match=r"^batch_size=16 needs .* got Poisson with .* or exposures, in the memory"
        ):
            st.minimize(ours, on_device(w), st.Adam(0.1), **options)
        return
    found, expected = (
        st.minimize(ours, on_device(w), st.Adam(0.1), **options),
        st.minimize(theirs, w, st.Adam(0.1), **options),
    )
    np.testing.assert_allclose(found.w.numpy(), expected.w, rtol=0, atol=1e-9)


@each_loss
def test_paths_and_curvature(cuda, loss):
    ours, theirs, w, _ = both(loss, alpha=0.0)
    found, expected = (st.path(each, n_alphas=4, l1_ratio=0.5) for each in (ours, theirs))
    np.testing.assert_allclose(found.alphas, expected.alphas, rtol=1e-8)
    last = len(expected) - 1
    np.testing.assert_allclose(found.parameters(last), expected.parameters(last), rtol=0, atol=1e-5)
    found, expected = st.curvature(ours, on_device(w)), st.curvature(theirs, w)
    np.testing.assert_allclose(found.eigenvalues, expected.eigenvalues, rtol=1e-8, atol=1e-12)


def test_validation_needs_an_offset_of_its_own(cuda):
    ours, theirs, w, _ = both("logistic")
    found, expected = (
        st.minimize(each, start, st.Adam(0.1), validation=each, max_epochs=4, diagnose=False)
        for each, start in ((ours, on_device(w)), (theirs, w))
    )
    np.testing.assert_allclose(found.history["validation_loss"], expected.history["validation_loss"], rtol=1e-9)


def test_narrow_rows(cuda):
    rng = np.random.default_rng(0)
    stored, widened = rounded(rng.standard_normal((60, 4)), "bfloat16")
    y, offset = (rng.random(60) < 0.4).astype(np.float32), rng.standard_normal(60).astype(np.float32)
    ours = st.Logistic(on_device(stored), on_device(y), offset=on_device(offset))
    w = rng.standard_normal(5).astype(np.float32)
    close(ours.gradient(on_device(w)), st.Logistic(widened, y, offset=offset).gradient(w), np.float32)


def test_what_is_given_stays_as_it_is(cuda):
    X, y, offset = on_device(np.ones((4, 2))), on_device(np.array([0.0, 1.0, 1.0, 0.0])), on_device(np.arange(4.0))
    objective = st.Logistic(X, y, offset=offset)
    assert objective.y is y
    assert objective.offset is offset
    assert y.numpy().tolist() == [0.0, 1.0, 1.0, 0.0]
    assert offset.numpy().tolist() == [0.0, 1.0, 2.0, 3.0]


WRONG = {
    "on the host": (lambda: np.zeros(40), ValueError, r"^offset must be in the memory of CUDA device 0"),
    "a number": (lambda: 1.0, TypeError, r"^offset must be a contiguous float64 array of shape \(40,\) on CUDA device"),
    "of another dtype": (lambda: on_device(np.zeros(40, np.float32)), TypeError, r"^offset must be .*got float32"),
    "too short": (lambda: on_device(np.zeros(39)), ValueError, r"^offset must be .*\(40,\).*shape \(39,\)"),
    "every other one": (
        lambda: Interface(on_device(np.zeros(80)), shape=(40,), strides=(16,)), ValueError, r"^offset must be .*strides"
    ),
    "not finite": (
        lambda: on_device(np.where(np.arange(40) == 7, np.nan, 0.0)), ValueError, r"^offset must .*got nan at index 7"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("loss", [st.LeastSquares, st.Logistic, st.Poisson])
def test_wrong_offsets_are_named(cuda, loss, case):
    make, error, message = WRONG[case]
    with pytest.raises(error, match=message):
        loss(on_device(np.ones((40, 3))), on_device(np.ones(40)), offset=make())


def test_offsets_that_overflow_are_named(cuda):
    X, y = on_device(np.ones((40, 3), np.float32)), on_device(np.ones(40, np.float32))
    offset = on_device(np.full(40, 200.0, np.float32))
    with pytest.raises(ValueError, match=r"^offset must leave exp\(offset\) and y exp\(-offset\) within float32"):
        st.Poisson(X, y, offset=offset)


def test_sparse_rows_take_none(cuda):
    X, y = csr_on_device(rows_of(40, 3)), on_device(np.ones(40))
    with pytest.raises(NotImplementedError, match=r"^offset must be None for data in the memory of CUDA device 0"):
        st.LeastSquares(X, y, offset=on_device(np.zeros(40)))

"""Objectives over arrays on a device, against those of the CPU, and every bad argument of theirs."""

from __future__ import annotations

import pickle
from types import SimpleNamespace

import numpy as np
import pytest

import steepest as st
from cases import LOSSES, Problem, each_loss
from device_arrays import Interface, on_device
from steepest.arrays.device import DeviceArray
from storages import NARROW, rounded

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def close(there, expected, dtype):
    there = there.numpy() if isinstance(there, DeviceArray) else there
    tolerance = 2e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(there, expected, rtol=tolerance, atol=tolerance)


@each_loss
@each_dtype
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
def test_an_objective_is_that_of_the_cpu(cuda, loss, dtype, order, weighted):
    problem = Problem(loss, order=order, dtype=dtype, weighted=weighted, alpha=0.1, l1_ratio=0.3)
    X, y, s = problem.data
    options = {"sample_weight": on_device(s) if weighted else None, "alpha": 0.1, "l1_ratio": 0.3}
    ours, theirs = LOSSES[loss][0](on_device(X, order), on_device(y), **options), problem.objective
    assert (ours.device, theirs.device) == (0, None)
    assert (ours.n_samples, ours.n_features, ours.dtype) == (theirs.n_samples, theirs.n_features, theirs.dtype)
    w = on_device(problem.w0)
    value, gradient = ours.value_and_gradient(w)
    close(value, theirs.value(problem.w0), dtype)
    close(ours.value(w), value, dtype)
    close(gradient, theirs.gradient(problem.w0), dtype)
    close(ours.gradient(w), gradient.numpy(), dtype)


@each_loss
@pytest.mark.parametrize("storage", NARROW)
def test_narrow_data(cuda, loss, storage):
    X, y, _ = Problem(loss, dtype=np.float32).data
    stored, widened = rounded(X, storage)
    ours = LOSSES[loss][0](on_device(stored), on_device(y))
    assert ours.dtype == np.float32
    w = Problem(dtype=np.float32).w0
    value, gradient = ours.value_and_gradient(on_device(w))
    expected = LOSSES[loss][1](widened, y, w)
    close(value, expected[0], np.float32)
    close(gradient, expected[1], np.float32)


def test_what_a_device_cannot_do_is_said(cuda):
    X, y, _ = Problem().data
    objective = st.LeastSquares(on_device(X), on_device(y))
    with pytest.raises(ValueError, match=r"^offset must be in the memory of CUDA device 0"):
        st.LeastSquares(on_device(X), on_device(y), offset=np.ones(len(y)))
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(objective)


GOOD = {"X": Problem().data[0], "y": np.round(np.abs(np.sin(np.arange(23.0)))), "sample_weight": np.ones(23)}
nan_at_2 = np.where(np.arange(23) == 2, np.nan, 1.0)
BAD_DATA = {
    "X of one dimension": ("X", np.ones(23), ValueError, r"two dimensions.*\(23,\)"),
    "X without rows": ("X", np.ones((0, 5)), ValueError, r"at least one row.*\(0, 5\)"),
    "y too short": ("y", np.ones(22), ValueError, r"float64.*\(23,\).*\(22,\)"),
    "y of another dtype": ("y", np.ones(23, np.float32), TypeError, r"float64.*float32.*astype\(np.float64\)"),
    "y with nan": ("y", nan_at_2, ValueError, r"finite.*nan at index 2"),
    "y that are no labels": ("y", np.arange(23.0) + 0.5, ValueError, r"0 and 1.*0\.5 at index 0"),
    "weights with nan": ("sample_weight", nan_at_2, ValueError, r"finite.*nan at index 2"),
    "weights below 0": ("sample_weight", -np.ones(23), ValueError, r"at least 0.*-1"),
    "weights of 0": ("sample_weight", np.zeros(23), ValueError, r"positive.*0"),
}


@pytest.mark.parametrize("case", BAD_DATA)
def test_bad_data_are_named(cuda, case):
    name, bad, error, message = BAD_DATA[case]
    arrays = {key: on_device(value) for key, value in {**GOOD, name: bad}.items()}
    with pytest.raises(error, match=rf"^{name} must .*{message}"):
        st.Logistic(**arrays)


def test_strides_are_named(cuda):
    whole, y = on_device(np.zeros((23, 10))), on_device(GOOD["y"])
    with pytest.raises(ValueError, match=r"^X must .*strides \(10, 2\).*X.copy\(\)"):
        st.Logistic(Interface(whole, shape=(23, 5), strides=(80, 16)), y)
    with pytest.raises(ValueError, match=r"^y must .*strides \(2,\)"):
        st.Logistic(on_device(GOOD["X"]), Interface(whole, shape=(23,), strides=(16,)))
    with pytest.raises(
        TypeError, match=r"^X must .*float32, float64, float16.*got int64 of shape \(23, 10\) on CUDA device 0"
    ):
        st.Logistic(Interface(whole, typestr="<i8"), y)


def test_an_address_between_two_elements_is_named(cuda):
    whole = on_device(np.zeros(10))
    shifted = Interface(whole, shape=(9,), data=(whole.pointer + 4, False))
    with pytest.raises(ValueError, match=r"^w must be aligned in memory, got float64 at the address 0x"):
        st.Adam().step(shifted, on_device(np.zeros(9)))


def test_arrays_in_different_places_are_named(cuda):
    X, y, w = GOOD["X"], GOOD["y"], np.zeros(6)
    there, here = st.Logistic(on_device(X), on_device(y)), st.Logistic(X, y)
    to_device = (
        r"in the memory of CUDA device 0.*got the host's memory; copy it with st.DeviceArray.from_numpy\(\w+, 0\)"
    )
    to_host = r"in the host's memory.*got the memory of CUDA device 0; copy it with \w+.numpy\(\)"
    for name, call in {
        "y": lambda: st.Logistic(on_device(X), y),
        "sample_weight": lambda: st.Logistic(on_device(X), on_device(y), sample_weight=np.ones(23)),
        "w": lambda: there.value(w),
        "w0": lambda: st.minimize(there, w),
        "gradient": lambda: st.Adam().step(on_device(w), w),
    }.items():
        with pytest.raises(ValueError, match=rf"^{name} must be {to_device}"):
            call()
    for name, call in {
        "y": lambda: st.Logistic(X, on_device(y)),
        "sample_weight": lambda: st.Logistic(X, y, sample_weight=on_device(y)),
        "w": lambda: here.value_and_gradient(on_device(w)),
        "w0": lambda: st.minimize(here, on_device(w)),
        "gradient": lambda: st.Adam().step(w, on_device(w)),
    }.items():
        with pytest.raises(ValueError, match=rf"^{name} must be {to_host}"):
            call()


def test_two_devices_are_named(cuda):
    if cuda.device_count() < 2:
        pytest.skip("there is one device only")
    y = on_device(GOOD["y"], number=1)
    with pytest.raises(ValueError, match=r"^y must be in the memory of CUDA device 0.*got the memory of CUDA device 1"):
        st.Logistic(on_device(GOOD["X"]), y)
    with pytest.raises(ValueError, match=r"^gradient must .*device 0, where w is, got the memory of CUDA device 1"):
        st.Adam().step(on_device(GOOD["y"]), y)
    optimizer, w = st.Adam(), on_device(np.ones(23), number=1)
    optimizer.step(w, y)
    with pytest.raises(ValueError, match=r"^w must be float64 .*device 1 as in the steps before, got .*device 0"):
        optimizer.step(on_device(GOOD["y"]), on_device(np.ones(23)))
    result = st.minimize(st.Logistic(on_device(GOOD["X"], number=1), y), max_epochs=1)
    assert result.w.device == 1


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_memory_that_was_freed_is_named(cuda, name):
    arrays, buffers = {}, {}
    for key, array in GOOD.items():
        there = on_device(array)
        buffers[key] = cuda.Buffer(array.nbytes, 0)
        cuda.copy(there.pointer, buffers[key].pointer, array.nbytes, 0, 1)
        arrays[key] = Interface(SimpleNamespace(pointer=buffers[key].pointer, shape=array.shape, dtype=array.dtype))
    objective, w = st.Logistic(**arrays), on_device(np.zeros(6))
    steps = []

    def free_it(progress):
        steps.append(progress)
        buffers[name].free()

    with pytest.raises(ValueError, match=rf"^{name} must be memory of CUDA device 0, got .*freed"):
        st.minimize(objective, w, callbacks=free_it)
    assert len(steps) == 1
    with pytest.raises(ValueError, match=rf"^{name} must be memory of CUDA device 0, got .*freed"):
        objective.value_and_gradient(w)
    with pytest.raises(ValueError, match=rf"^{name} must be in the memory of a CUDA device.*freed"):
        st.Logistic(**arrays)
    assert np.isfinite(st.LeastSquares(on_device(GOOD["X"]), on_device(GOOD["y"])).value(w))

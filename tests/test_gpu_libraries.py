"""Arrays of CuPy, torch, JAX and Numba on a real GPU: in, through a fit, and out again."""

from __future__ import annotations

import importlib
import subprocess
import sys

import numpy as np
import pytest

import steepest as st
from devices import real

NONE = real()[1]


def test_arrays_of_other_libraries_are_tried_on_a_gpu():
    if NONE is not None:
        pytest.skip(f"arrays of CuPy, torch, JAX and Numba were not tried: {NONE}")


# No test of this file but the one above is collected where there is no GPU.
if NONE is None:

    def library(name):
        """The library, or a skip where it is absent."""
        return pytest.importorskip(name, exc_type=ImportError)

    def put_cupy(array):
        return library("cupy").asarray(array)

    def put_torch(array):
        return library("torch").from_numpy(array.copy()).cuda()

    def put_jax(array):
        return library("jax.numpy").asarray(array)

    def put_numba(array):
        return library("numba.cuda").to_device(array)

    def get_jax(array):
        return np.asarray(array)

    # By library: what copies to the device, what copies from it, and whether its arrays may be written.
    LIBRARIES = {
        "cupy": (put_cupy, lambda array: array.get(), True),
        "torch": (put_torch, lambda array: array.cpu().numpy(), True),
        "jax": (put_jax, get_jax, False),
        "numba": (put_numba, lambda array: array.copy_to_host(), True),
    }

    @pytest.fixture(params=LIBRARIES)
    def arrays(request):
        """What copies to the device and back; skipped where the library is absent."""
        put, get, _ = LIBRARIES[request.param]
        put(np.zeros(1, np.float32))
        return put, get

    def problem(n=1003, d=37, dtype=np.float32):
        rng = np.random.default_rng(0)
        X, w = rng.standard_normal((n, d)).astype(dtype), rng.standard_normal(d + 1).astype(dtype)
        return X, (X[:, 0] + rng.standard_normal(n) > 0).astype(dtype), w

    def test_value_and_gradient(arrays):
        put, get = arrays
        X, y, w = problem()
        value, gradient = st.Logistic(put(X), put(y)).value_and_gradient(put(w))
        right = st.reference.logistic(X, y, w)
        np.testing.assert_allclose(value, right[0], rtol=1e-5)
        assert type(gradient) is type(put(w))
        np.testing.assert_allclose(get(gradient), right[1], rtol=1e-4, atol=1e-6)

    def test_a_fit_returns_an_array_of_the_library(arrays):
        put, get = arrays
        X, y, _ = problem()
        options = {"optimizer": st.Adam(0.05), "batch_size": 64, "max_epochs": 5, "random_state": 0}
        found = st.minimize(st.Logistic(put(X), put(y)), **options)
        assert type(found.w) is type(put(X))
        np.testing.assert_allclose(get(found.w), st.minimize(st.Logistic(X, y), **options).w, rtol=1e-3, atol=1e-4)

    @pytest.mark.parametrize("name", [name for name, (_, _, writable) in LIBRARIES.items() if writable])
    def test_a_step_is_taken_in_place(name):
        put, get, _ = LIBRARIES[name]
        w, g = np.linspace(-1, 1, 1000, dtype=np.float32), np.cos(np.arange(1000, dtype=np.float32))
        there, ours, theirs = put(w), st.Adam(0.1), st.Adam(0.1)
        for _ in range(3):
            ours.step(there, put(g))
            theirs.step(w, g)
        assert get(there).tobytes() == w.tobytes()

    def test_arrays_of_jax_are_not_written():
        w = put_jax(np.zeros(5, np.float32))
        with pytest.raises((TypeError, ValueError, BufferError), match=r"read-only|write"):
            st.Adam().step(w, put_jax(np.ones(5, np.float32)))
        assert not get_jax(w).any()

    def test_data_that_are_still_being_made_are_waited_for():
        torch = library("torch")
        X, y, w = problem(200_003, 64)
        right = st.reference.logistic(X, y, w)[0]
        stream, ready = torch.cuda.Stream(), torch.from_numpy(X).cuda()
        targets, here = torch.from_numpy(y).cuda(), torch.from_numpy(w).cuda()
        torch.cuda.synchronize()
        with torch.cuda.stream(stream):
            late = torch.zeros_like(ready)
            torch.cuda._sleep(100_000_000)  # some 50 ms
            late.copy_(ready)
            value = st.Logistic(late, targets).value(here)
        np.testing.assert_allclose(value, right, rtol=1e-5)

    def test_memory_that_is_freed_at_once_is_read_before():
        put, _, _ = LIBRARIES["jax"]
        put(np.zeros(1, np.float32))
        X, y, w = problem(100_003, 64)
        right = st.reference.logistic(X, y, w)[0]
        for _ in range(20):
            value = st.Logistic(put(X), put(y)).value(put(w))
            put(np.full(X.shape, np.nan, np.float32))  # may take the memory of X
            np.testing.assert_allclose(value, right, rtol=1e-5)

    def test_a_captured_step_is_refused_or_right():
        """A CUDA graph of a step of Adam must not repeat one step's bias correction."""
        torch = library("torch")
        w, g = torch.linspace(-1, 1, 33).cuda(), torch.ones(33).cuda()
        expected, state = w.cpu().double().numpy(), {}
        optimizer = st.Adam(0.1)
        graph = torch.cuda.CUDAGraph()
        refused = ""
        try:
            with torch.cuda.graph(graph):
                optimizer.step(w, g)
        except RuntimeError as error:
            refused = str(error)
        if refused:
            assert "captur" in refused
            return
        for t in (1, 2, 3):
            graph.replay()
            expected, state = st.reference.adam(expected, np.ones(33), state, t, 0.1)
        np.testing.assert_allclose(w.cpu().numpy(), expected, rtol=1e-5)

    @pytest.mark.parametrize("storage", ["float16", "bfloat16"])
    def test_tensors_of_16_bits(storage):
        torch = library("torch")
        X, y, w = problem()
        narrow = torch.from_numpy(X).to(getattr(torch, storage)).cuda()
        value, gradient = st.Logistic(narrow, put_torch(y)).value_and_gradient(put_torch(w))
        right = st.reference.logistic(narrow.cpu().double().numpy(), y, w)
        np.testing.assert_allclose(value, right[0], rtol=1e-5)
        np.testing.assert_allclose(gradient.cpu().numpy(), right[1], rtol=1e-4, atol=1e-6)

    def test_columns_side_by_side(arrays):
        put, get = arrays
        X, y, w = problem()
        turned = put(np.ascontiguousarray(X.T)).T
        value, gradient = st.Logistic(turned, put(y)).value_and_gradient(put(w))
        right = st.reference.logistic(X, y, w)
        np.testing.assert_allclose(value, right[0], rtol=1e-5)
        np.testing.assert_allclose(get(gradient), right[1], rtol=1e-4, atol=1e-6)

    def test_a_device_that_is_not_used_gets_no_context():
        torch = library("torch")
        if torch.cuda.device_count() < 2:
            pytest.skip("needs two GPUs")
        code = (
            "import numpy as np, steepest as st\n"
            "st.DeviceArray.from_numpy(np.zeros(3), 1)\n"
            "import ctypes\n"
            "driver, active, flags = ctypes.CDLL('libcuda.so.1'), ctypes.c_int(), ctypes.c_uint()\n"
            "assert driver.cuDevicePrimaryCtxGetState(0, ctypes.byref(flags), ctypes.byref(active)) == 0\n"
            "assert not active.value\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def test_the_package_is_the_built_one():
        assert importlib.import_module("steepest._cuda").device_count() >= 1

"""Memory, checks and errors of the CUDA modules."""

from __future__ import annotations

import numpy as np
import pytest

from devices import real


def test_the_suite_runs_on_a_gpu():
    if real()[1] is not None:
        pytest.skip(f"the tests of the CUDA kernels ran emulated only: {real()[1]}")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 31, 33, 1000, 70_001])
def test_survey(memory, n, dtype):
    rng = np.random.default_rng(n)
    array = (rng.uniform(size=n) < 0.5).astype(dtype)
    survey = memory.module.survey
    assert survey(dtype.__name__, memory.put(array), n, 0, 1) == (n, n, array.min(), array.sum())
    array[n // 2] = -3.0
    array[n - 1] = np.nan if n > 1 else -3.0
    finite, label, minimum, _ = survey(dtype.__name__, memory.put(array), n, 0, 1)
    assert (finite, label) == (n - 1 if n > 1 else n, n // 2)
    assert minimum == -3.0


def test_round_trip_and_copies(memory):
    array = np.arange(1000.0)
    source, target = memory.put(array), memory.put(np.zeros(1000))
    memory.module.copy(source, target, 8000, 0, 1)
    np.testing.assert_array_equal(memory.get(target, 1000, float), array)
    memory.module.fill_zero(target, 4000, 0, 1)
    np.testing.assert_array_equal(memory.get(target, 1000, float), np.where(array < 500, 0.0, array))


def test_pointers_are_checked(memory):
    host = np.zeros(10)
    pointer = memory.put(host)
    memory.module.check_pointer("X", pointer, 0)
    assert memory.module.device_of(pointer) == 0
    with pytest.raises(ValueError, match="X must be memory of CUDA device 0, got an address that is not GPU memory"):
        memory.module.check_pointer("X", host.ctypes.data, 0)
    memory.buffers[-1].free()
    with pytest.raises(ValueError, match="freed"):
        memory.module.check_pointer("X", pointer, 0)


def test_a_device_that_is_not_there(memory):
    with pytest.raises(ValueError, match="device must be one of the"):
        memory.module.Buffer(10, 99)


def test_out_of_memory_leaves_no_error_behind(memory):
    with pytest.raises(MemoryError, match="the GPU's memory is full"):
        memory.module.Buffer(1 << 50, 0)
    pointer = memory.put(np.arange(5.0))
    np.testing.assert_array_equal(memory.get(pointer, 5, float), np.arange(5.0))


def test_what_does_not_fit(memory):
    def make(d, tiling):
        return memory.module.Objective("logistic", "float32", 0, 10, d, True, 0, 0, 10.0, True, 0.0, 0.0, 0, 1, tiling)

    with pytest.raises(ValueError, match="X must have fewer columns for tiling lanes"):
        make(5000, "lanes")
    with pytest.raises(ValueError, match="X must have fewer columns for tiling tiles"):
        make(1_000_000, "tiles")
    with pytest.raises(ValueError, match="X must have fewer columns for this GPU"):
        make(1 << 40, "auto")
    with pytest.raises(ValueError, match="unknown tiling 'none'"):
        make(10, "none")


def test_what_the_device_is(memory):
    found = memory.module.device(0)
    assert set(found) == {"name", "compute_capability", "memory", "multiprocessors"}
    assert memory.module.device_count() >= 1
    assert memory.module.reason() is None
    assert memory.module.versions()["runtime"] >= 12000

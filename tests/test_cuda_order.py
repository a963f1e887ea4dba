"""The order in which an epoch takes its rows, made on the device: bit for bit that of the CPU."""

from __future__ import annotations

import numpy as np
import pytest

import steepest as st
from cases import Problem
from device_arrays import on_device
from steepest import _core


@pytest.mark.parametrize("n", [1, 2, 4096, 4097, 8191, 8192, 8193, 12_345, 65_536, 70_001])
def test_the_order_of_rows_is_that_of_the_cpu(memory, n):
    for seed, epoch in ((0, 0), (7, 3), (2**64 - 1, 10**6)):
        target = memory.put(np.zeros(n, np.uint32))
        memory.module.row_order(n, seed, epoch, target, memory.device, memory.stream)
        np.testing.assert_array_equal(memory.get(target, n, np.uint32), _core.row_order(n, seed, epoch))


@pytest.mark.parametrize("n", [0, 1 << 32])
def test_too_many_rows_for_an_order_are_named(memory, n):
    with pytest.raises(ValueError, match=rf"^X must have 1 to 4294967295 rows to be shuffled, got {n}"):
        memory.module.row_order(n, 0, 0, 0, memory.device, memory.stream)


def test_a_run_over_many_rows_takes_them_as_the_cpu_does(cuda):
    problem = Problem("logistic", n=5000, d=2)
    X, y, _ = problem.data
    run = {"batch_size": 1000, "max_epochs": 2, "random_state": 5, "record_path": True}
    ours = st.minimize(st.Logistic(on_device(X), on_device(y)), None, st.Adam(0.1), **run)
    theirs = st.minimize(st.Logistic(X, y), None, st.Adam(0.1), **run)
    np.testing.assert_allclose(ours.path, theirs.path, rtol=1e-10)

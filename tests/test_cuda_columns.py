"""Statistics of columns and copies of rows by the CUDA kernels: emulated and on a GPU."""

from __future__ import annotations

import math

import numpy as np
import pytest

import steepest as st
from device_arrays import Interface, csr_on_device, on_device
from steepest.arrays.interop import as_native
from steepest.objectives import column_statistics
from steepest.objectives.device_columns import gathered
from storages import STORAGES, arithmetic, rounded
from test_cuda_sparse import rows_of

SHAPES = [(1, 1), (7, 3), (300, 33), (129, 300), (2000, 5), (5, 1000)]


def exact(X, weight=None):
    """Means and deviations, from sums without rounding."""
    X = X.astype(float)
    s = np.ones(len(X)) if weight is None else weight.astype(float)
    total = math.fsum(s)
    mean = np.array([math.fsum(s * column) / total for column in X.T])
    squares = [math.fsum(s * (column - centre) ** 2) / total for column, centre in zip(X.T, mean, strict=True)]
    return mean, np.sqrt(squares)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("n", "d"), SHAPES)
def test_statistics(cuda, n, d, weighted, order, storage):
    rng = np.random.default_rng(n)
    stored, X = rounded(2.0 + rng.standard_normal((n, d)), storage)
    weight = rng.uniform(0.2, 3.0, n).astype(arithmetic(storage)) if weighted else None
    mean, deviation = column_statistics(on_device(stored, order), on_device(weight) if weighted else None)
    expected = exact(X, weight)
    scale = np.abs(expected[0]) + expected[1]
    assert (mean.dtype, deviation.dtype) == (np.float64, np.float64)
    assert np.all(np.abs(mean - expected[0]) <= 1e-14 * scale)
    assert np.all(np.abs(deviation - expected[1]) <= 1e-13 * scale)


@pytest.mark.parametrize("order", ["C", "F"])
def test_far_from_zero(cuda, order):
    """Means of a billion deviations cost no digits of the deviations but those of the numbers themselves."""
    rng = np.random.default_rng(0)
    X = 1e9 + rng.standard_normal((500, 4))
    mean, deviation = column_statistics(on_device(X, order))
    expected = exact(X)
    np.testing.assert_allclose(mean, expected[0], rtol=1e-15)
    np.testing.assert_allclose(deviation, expected[1], rtol=1e-9)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("value", [0.1, -3.7e11, 0.0])
def test_equal_rows_have_no_deviation(cuda, value, order):
    X = np.full((333, 5), value)
    X[::7, 1] = np.nan
    weight = np.where(np.arange(333) % 7 == 0, 0.0, 0.3)
    mean, deviation = column_statistics(on_device(X, order), on_device(weight))
    assert mean.tolist() == [value] * 5
    assert deviation.tolist() == [0.0] * 5


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(cuda, bad):
    X = np.random.default_rng(0).standard_normal((50, 3))
    X[33, 1] = bad
    mean, deviation = column_statistics(on_device(X))
    assert np.isfinite(mean).tolist() == np.isfinite(deviation).tolist() == [True, False, True]


def test_weight_on_few_rows_alone(cuda):
    """Those that are looked at first have none."""
    X = np.random.default_rng(0).standard_normal((1000, 3))
    weight = np.zeros(1000)
    weight[[501, 517]] = 2.0
    mean, deviation = column_statistics(on_device(X), on_device(weight))
    np.testing.assert_allclose(mean, X[[501, 517]].mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(deviation, X[[501, 517]].std(axis=0), rtol=1e-14)


@pytest.mark.parametrize("exponent", [-1000, -600, 600, 1000])
def test_squares_beyond_float64(cuda, exponent):
    X = np.random.default_rng(0).uniform(-1.0, 1.0, (200, 3)) * [1.0, 2.0**exponent, 3.0]
    found, expected = column_statistics(on_device(X)), column_statistics(X)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    scaled = exact(np.ldexp(X[:, 1:2], -exponent))
    np.testing.assert_allclose(np.ldexp(found[1][1], -exponent), scaled[1][0], rtol=1e-12)


@pytest.mark.parametrize("storage", STORAGES)
def test_the_cpu_agrees(cuda, storage):
    rng = np.random.default_rng(3)
    stored, _ = rounded(rng.standard_normal((700, 20)), storage)
    weight = rng.uniform(0.0, 1.0, 700).astype(arithmetic(storage))
    ours = column_statistics(on_device(stored), on_device(weight))
    for found, expected in zip(ours, column_statistics(stored, weight), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_same_bits_at_every_schedule(cuda, order):
    X, found = np.random.default_rng(0).standard_normal((5000, 17)), []
    for seed in (1, 2, 3):
        if hasattr(cuda, "emulated_set"):
            cuda.emulated_set("EMULATED_SEED", seed)
        found.append(np.concatenate(column_statistics(on_device(X, order))).tobytes())
    assert found[0] == found[1] == found[2]


def test_the_statistics_of_an_objective(cuda):
    X, y = np.random.default_rng(0).standard_normal((100, 4)) + 3.0, np.ones(100)
    ours = st.LeastSquares(on_device(X), on_device(y)).column_statistics()
    for found, expected in zip(ours, st.LeastSquares(X, y).column_statistics(), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-13)


BAD = {
    "of integers of 64 bits": (
        lambda: (Interface(on_device(np.ones((4, 3))), typestr="<i8"),), TypeError, r"^X must .*int64"
    ),
    "of one dimension": (lambda: (on_device(np.ones(3)),), ValueError, r"^X must .*two dimensions.*\(3,\)"),
    "weights on the host": (
        lambda: (on_device(np.ones((4, 3))), np.ones(4)), ValueError, "^sample_weight must be in the memory of CUDA",
    ),
    "weights on the device alone": (
        lambda: (np.ones((4, 3)), on_device(np.ones(4))), ValueError, "^sample_weight must be in the host's memory",
    ),
    "weights too short": (
        lambda: (on_device(np.ones((4, 3))), on_device(np.ones(3))), ValueError, r"^sample_weight must .*\(4,\)",
    ),
    "weights of 0": (
        lambda: (on_device(np.ones((4, 3))), on_device(np.zeros(4))), ValueError, "^sample_weight must .*positive",
    ),
    "weights of sparse rows on the host": (
        lambda: (csr_on_device(rows_of(4, 3)), np.ones(4)), ValueError, "^sample_weight must be in the memory of CUDA",
    ),
    "weights of sparse rows too short": (
        lambda: (csr_on_device(rows_of(4, 3)), on_device(np.ones(3))), ValueError, r"^sample_weight must .*\(4,\)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_named(cuda, case):
    arguments, error, message = BAD[case]
    with pytest.raises(error, match=message):
        column_statistics(*arguments())


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (7, 3), (50, 33), (20, 300)])
def test_copies_of_rows(cuda, n, d, order, storage):
    stored, _ = rounded(np.random.default_rng(n).standard_normal((n, d)), storage)
    index = np.random.default_rng(d).integers(0, n, 2 * n)
    found = gathered(as_native("X", on_device(stored, order)), index)
    assert found.flags.c_contiguous
    assert found.dtype == stored.dtype
    np.testing.assert_array_equal(found.view(np.uint8), np.ascontiguousarray(stored[index]).view(np.uint8))


@pytest.mark.parametrize("piece_bytes", [1, 24, 1000, 1 << 20])
@pytest.mark.parametrize("row_major", [True, False])
def test_copies_come_in_pieces(memory, row_major, piece_bytes):
    X = np.random.default_rng(0).standard_normal((50, 3))
    index = np.random.default_rng(1).integers(0, 50, 200)
    found = np.empty((200, 3))
    stored = np.asarray(X, order="C" if row_major else "F")
    rows = memory.module.Rows(memory.put(stored), 50, 3, row_major, memory.device, memory.stream)
    rows.gather(8, index, found, piece_bytes)
    np.testing.assert_array_equal(found, X[index])


def test_copies_of_more_rows_than_threads(cuda):
    X = np.arange(27_000.0).reshape(9000, 3)
    index = np.arange(9000)[::-1].copy()
    np.testing.assert_array_equal(gathered(as_native("X", on_device(X)), index), X[index])


def test_copies_of_elements_and_of_nothing(cuda):
    y = np.arange(9.0)
    there = as_native("y", on_device(y))
    assert gathered(there, np.array([3, 0, 8])).tolist() == [3.0, 0.0, 8.0]
    assert gathered(there, np.zeros(0, np.int64)).shape == (0,)


@pytest.mark.parametrize("name", ["X", "y", "sample_weight"])
def test_freed_memory_is_told(cuda, name):
    held = {"X": on_device(np.ones((40, 3))), "y": on_device(np.ones(40)), "sample_weight": on_device(np.ones(40))}
    objective = st.LeastSquares(**held)
    held[name]._buffer.free()
    calls = [lambda: objective.data.on_host.taken(np.arange(3))]
    if name != "y":
        calls.append(objective.column_statistics)
    if name != "X":
        calls.append(lambda: objective.data.on_host.target_facts)
    for call in calls:
        with pytest.raises(ValueError, match=rf"^{name} must be memory of CUDA device 0, got an address that is not"):
            call()

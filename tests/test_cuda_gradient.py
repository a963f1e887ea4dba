"""The CUDA kernels of a pass against the NumPy reference, each tiling by itself, emulated and on a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from cases import LOSSES
from devices import Memory
from steepest import reference
from storages import STORAGES, TOLERANCE, arithmetic, rounded, unit_of


def problem(n, d, storage, loss="logistic", order="C", weighted=False, intercept=True, seed=0):
    """X as stored and as numbers, y, weights and w."""
    rng = np.random.default_rng(seed)
    stored, X = rounded(np.asarray(rng.standard_normal((n, d)) / np.sqrt(d), order=order), storage)
    dtype = arithmetic(storage)
    y = rng.standard_normal(n)
    y = LOSSES[loss].targets(y).astype(dtype)
    s = rng.uniform(0.2, 3.0, n).astype(dtype) if weighted else None
    w = rng.standard_normal(d + intercept) / unit_of(storage)
    return stored, X, y, s, w.astype(dtype)


def evaluate(memory, loss, storage, data, *, order="C", intercept=True, l1=0.0, l2=0.0, tiling="auto", offset=0):
    """The value, the gradient and the tiling that a module finds."""
    stored, _, y, s, w = data
    n, d = stored.shape
    weight, weight_sum = (0, float(n)) if s is None else (memory.put(s), float(s.sum(dtype=float)))
    objective = memory.module.Objective(
        loss, storage, memory.put(stored, offset), n, d, order == "C", memory.put(y), weight, weight_sum, intercept,
        l1, l2, memory.device, memory.stream, tiling, LOSSES[loss].parameters
    )  # fmt: skip
    gradient = memory.put(np.full(w.size, np.nan, w.dtype))
    value = objective.value_and_gradient(memory.put(w), gradient)
    return value, memory.get(gradient, w.size, w.dtype), objective.tiling


def check(memory, n, d, storage, loss="logistic", order="C", weighted=False, intercept=True, alpha=0.0, **options):
    data = problem(n, d, storage, loss, order, weighted, intercept)
    _, X, y, s, w = data
    value, gradient, tiling = evaluate(
        memory, loss, storage, data, order=order, intercept=intercept, l1=0.25 * alpha, l2=0.75 * alpha, **options
    )
    keywords = {"sample_weight": s, "intercept": intercept, "alpha": alpha, "l1_ratio": 0.25}
    X, y, w = X.astype(float), y.astype(float), w.astype(float)
    expected_value, expected = LOSSES[loss].reference(X, y, w, **keywords)
    scale = np.abs(X).T @ np.ones(n) / n + 1.0
    tolerance = TOLERANCE[storage]
    assert value == pytest.approx(expected_value, rel=10 * tolerance)
    error = np.abs(gradient - expected)
    assert np.all(error[:d] <= 10 * tolerance * scale)
    assert np.all(error[d:] <= 20 * tolerance)
    return tiling


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n", [1, 31, 33, 129, 1000])
def test_few_columns(memory, n, loss, storage):
    check(memory, n, 7, storage, loss)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("d", [1, 4, 8, 15, 31, 32, 33, 64, 129, 256, 500, 512])
def test_rows_in_registers(memory, d, storage):
    assert check(memory, 70, d, storage, tiling="lanes") == "lanes"


@pytest.mark.parametrize("storage", [name for name in STORAGES if arithmetic(name) == np.float32])
def test_the_longest_rows_in_registers(memory, storage):
    assert check(memory, 40, 1024, storage, tiling="lanes") == "lanes"
    assert check(memory, 40, 1025, storage) != "lanes"


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("tiling", ["tiles", "bulk"])
@pytest.mark.parametrize(("n", "d"), [(1, 32), (9, 64), (33, 144), (129, 1008), (17, 4096)])
def test_rows_through_shared_memory(memory, n, d, tiling, storage):
    assert check(memory, n, d, storage, tiling=tiling) == tiling


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (9, 31), (33, 129), (70, 1001)])
def test_unaligned_rows_through_shared_memory(memory, n, d, storage):
    assert check(memory, n, d, storage, tiling="tiles") == "tiles"


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (9, 31), (129, 64), (33, 1000)])
def test_columns_shared_among_the_blocks(memory, n, d, order, storage):
    assert check(memory, n, d, storage, order=order, tiling="split") == "split"


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("n", "d"), [(1, 1), (31, 7), (129, 33), (1000, 5), (70, 300)])
def test_column_major(memory, n, d, storage):
    assert check(memory, n, d, storage, order="F") == "tiles"


def test_many_columns(memory):
    assert check(memory, 12, 20_000, "float32") == "split"
    assert check(memory, 12, 20_000, "float64", order="F") == "split"


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_weights_and_penalties(memory, loss, intercept, tiling):
    check(memory, 50, 40, "float64", loss, weighted=True, intercept=intercept, alpha=0.3, tiling=tiling)


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "split"])
@pytest.mark.parametrize("storage", STORAGES)
def test_an_address_that_is_not_a_multiple_of_16(memory, storage, tiling):
    check(memory, 33, 48, storage, tiling=tiling, offset=1)


def test_float_sums_keep_their_digits(memory):
    rng = np.random.default_rng(0)
    n = 60_000
    X = rng.uniform(0.5, 1.5, (n, 3)).astype(np.float32)
    y = rng.standard_normal(n).astype(np.float32)
    w = np.array([0.5, -0.25, 1.0, 0.1], np.float32)
    _, gradient, _ = evaluate(memory, "least_squares", "float32", (X, X, y, None, w))
    _, expected = reference.least_squares(X.astype(float), y.astype(float), w.astype(float))
    assert np.abs(gradient / expected - 1).max() < 1e-6


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
def test_the_same_bits_every_time(memory, tiling):
    data = problem(700, 64, "float32")
    first, again = (evaluate(Memory(memory.module), "logistic", "float32", data, tiling=tiling) for _ in range(2))
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])


@pytest.mark.parametrize(("order", "tiling"), [("C", "lanes"), ("C", "tiles"), ("C", "bulk"), ("F", "tiles")])
def test_every_pass_takes_every_chunk_once(memory, order, tiling):
    """Of one objective, whose blocks take more chunks than there are blocks; products take them too."""
    data = problem(2500, 64, "float32", order=order)
    stored, _, y, _, w = data
    n, d = stored.shape
    arguments = n, d, order == "C", memory.put(y), 0, float(n), True, 0.0, 0.0, memory.device, memory.stream, tiling
    objective = memory.module.Objective("logistic", "float32", memory.put(stored), *arguments)
    direction, product = memory.put(w), memory.put(np.full(w.size, np.nan, w.dtype))
    gradient, products = memory.put(np.full(w.size, np.nan, w.dtype)), []
    for factor in (1.0, -0.5, 2.0):
        at = (factor * w).astype(w.dtype)
        value = objective.value_and_gradient(memory.put(at), gradient)
        alone = evaluate(Memory(memory.module), "logistic", "float32", (*data[:4], at), order=order, tiling=tiling)
        assert value == alone[0]
        np.testing.assert_array_equal(memory.get(gradient, w.size, w.dtype), alone[1])
        objective.hessian_product(direction, direction, product)
        products.append(memory.get(product, w.size, w.dtype).tobytes())
    assert products[0] == products[1] == products[2]


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(memory, bad, tiling):
    data = problem(50, 32, "float32", "least_squares")
    data[0][33, 5] = bad
    value, gradient, _ = evaluate(memory, "least_squares", "float32", data, tiling=tiling)
    assert not np.isfinite(value)
    assert not np.isfinite(gradient[5])

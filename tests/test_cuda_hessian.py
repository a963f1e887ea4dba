"""The CUDA kernels of a Hessian product against the formulas, each tiling by itself, emulated and on a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from cases import LOSSES
from devices import Memory
from storages import LARGEST, STORAGES, TOLERANCE, arithmetic
from test_cuda_absent_rows import TILINGS
from test_cuda_absent_rows import rows as rows_with_absent
from test_cuda_gradient import problem

SHAPES = {
    "lanes": [(1, 1), (33, 7), (70, 33), (129, 256), (40, 512)],
    "tiles": [(1, 32), (9, 31), (129, 64), (17, 1008)],
    "bulk": [(1, 32), (9, 64), (129, 144), (17, 1008)],
    "split": [(1, 1), (9, 31), (129, 64), (33, 1001), (12, 3000)],
}
EACH = [(tiling, *shape) for tiling, shapes in SHAPES.items() for shape in shapes]


def bound(memory, loss, storage, data, order="C", intercept=True, l1=0.0, l2=0.0, tiling="auto", offset=0):
    """The native objective of arrays that are copied to the device."""
    stored, _, y, s, _ = data
    weight, weight_sum = (0, float(len(y))) if s is None else (memory.put(s), float(s.sum(dtype=float)))
    return memory.module.Objective(
        loss, storage, memory.put(stored, offset), *stored.shape, order == "C", memory.put(y), weight, weight_sum,
        intercept, l1, l2, memory.device, memory.stream, tiling, LOSSES[loss].parameters,
    )  # fmt: skip


def product_of(memory, objective, w, v):
    product = memory.put(np.full(w.size, np.nan, w.dtype))
    objective.hessian_product(memory.put(w), memory.put(v), product)
    return memory.get(product, w.size, w.dtype)


def direction(w, seed=5):
    return np.random.default_rng(seed).standard_normal(w.size).astype(w.dtype)


def exact(X, y, s, w, v, loss, intercept, l2=0.0):
    """The product by the formula of the loss, and the size of the terms of each of its sums."""
    X, y, w, v = (each.astype(float) for each in (X, y, w, v))
    s = np.ones(len(y)) if s is None else s.astype(float)
    full = np.column_stack([X, np.ones(len(y))]) if intercept else X
    slopes = s * LOSSES[loss].formula.curvature(full @ w, y) * (full @ v)
    found = full.T @ slopes / s.sum()
    found[: X.shape[1]] += l2 * v[: X.shape[1]]
    size = s * np.abs(LOSSES[loss].formula.curvature(full @ w, y)) * (np.abs(full) @ np.abs(v))
    return found, np.abs(full).T @ size / s.sum() + l2 * np.abs(v).max()


def check(memory, n, d, storage, loss="logistic", order="C", weighted=False, intercept=True, l2=0.0, **options):
    data = problem(n, d, storage, loss, order, weighted, intercept)
    _, X, y, s, w = data
    objective = bound(memory, loss, storage, data, order, intercept, 0.0, l2, **options)
    v = direction(w)
    found = product_of(memory, objective, w, v)
    expected, size = exact(X, y, s, w, v, loss, intercept, l2)
    # A score is rounded as the sum of its terms, and e^z takes over its rounding.
    moved = 1.0 + (np.abs(X.astype(float)) @ np.abs(w[:d].astype(float))).max()
    assert np.all(np.abs(found - expected) <= 10 * TOLERANCE[storage] * moved * size)
    sums = objective.product_sums(w, v)
    total = float(n) if s is None else s.sum(dtype=float)
    np.testing.assert_allclose(
        (sums[: w.size] / total + l2 * np.append(v[:d], np.zeros(int(intercept)))).astype(w.dtype), found,
        rtol=4 * TOLERANCE[storage], atol=4 * TOLERANCE[storage] * size.max(),
    )  # fmt: skip
    assert sums[-1] == 0.0


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize(("tiling", "n", "d"), EACH)
def test_each_tiling(memory, tiling, n, d, storage):
    check(memory, n, d, storage, tiling=tiling)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("n", [1, 31, 129, 1000])
def test_few_columns(memory, n, loss, storage):
    check(memory, n, 7, storage, loss)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("tiling", ["tiles", "split"])
@pytest.mark.parametrize(("n", "d"), [(1, 1), (31, 7), (129, 33), (1000, 5), (70, 300)])
def test_column_major(memory, n, d, tiling, storage):
    check(memory, n, d, storage, order="F", tiling=tiling)


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_weights_and_penalties(memory, loss, intercept, tiling):
    check(memory, 50, 40, "float64", loss, weighted=True, intercept=intercept, l2=0.3, tiling=tiling)


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "split"])
@pytest.mark.parametrize("storage", STORAGES)
def test_an_address_that_is_not_a_multiple_of_16(memory, storage, tiling):
    check(memory, 33, 48, storage, tiling=tiling, offset=1)


def test_many_columns(memory):
    check(memory, 12, 20_000, "float32")
    check(memory, 12, 20_000, "float64", order="F")


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "split"])
def test_float_sums_keep_their_digits(memory, tiling):
    rng = np.random.default_rng(0)
    n = 60_000
    X = rng.uniform(0.5, 1.5, (n, 3)).astype(np.float32)
    w, v = np.zeros(4, np.float32), np.array([0.5, 0.25, 1.0, 0.1], np.float32)
    objective = bound(memory, "least_squares", "float32", (X, X, np.zeros(n, np.float32), None, w), tiling=tiling)
    expected, _ = exact(X, np.zeros(n), None, w, v, "least_squares", True)
    assert np.abs(product_of(memory, objective, w, v) / expected - 1).max() < 1e-6
    assert np.abs(objective.product_sums(w, v)[:4] / n / expected - 1).max() < 1e-6


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
def test_the_same_bits_at_every_schedule(memory, tiling):
    data, found = problem(700, 64, "float32"), []
    for seed in (1, 2, 3):
        if hasattr(memory.module, "emulated_set"):
            memory.module.emulated_set("EMULATED_SEED", seed)
        own = Memory(memory.module)
        objective = bound(own, "logistic", "float32", data, tiling=tiling)
        v = direction(data[4])
        found.append((product_of(own, objective, data[4], v).tobytes(), objective.product_sums(data[4], v).tobytes()))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(("order", "tiling"), TILINGS)
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("loss", LOSSES)
def test_rows_of_weight_0_are_absent(memory, loss, storage, order, tiling):
    """Where their scores overflow, the product has the bits of the rows of zeros."""
    found = []
    for fill in (LARGEST[storage], 0.0):
        stored, X, y, weight, w, _ = rows_with_absent(129, 64, storage, loss, fill)
        own = Memory(memory.module)
        data = np.asarray(stored, order=order), X, y, weight, w
        objective = bound(own, loss, storage, data, order, tiling=tiling)
        found.append(product_of(own, objective, w, direction(w)))
    assert np.isfinite(found[0]).all()
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(memory, bad, tiling):
    data = problem(50, 32, "float32", "least_squares")
    data[0][33, 5] = bad
    objective = bound(memory, "least_squares", "float32", data, tiling=tiling)
    assert not np.isfinite(product_of(memory, objective, data[4], direction(data[4]))[5])
    gradient = memory.put(np.full(33, np.nan, np.float32))  # a product leaves no trace in the passes after it
    data[0][33, 5] = 0.0
    own = bound(memory, "least_squares", "float32", data, tiling=tiling)
    own.hessian_product(memory.put(data[4]), memory.put(data[4]), gradient)
    assert np.isfinite(own.value_and_gradient(memory.put(data[4]), gradient))


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("tiling", ["lanes", "tiles", "bulk", "split"])
def test_sums_of_a_pass(memory, storage, tiling):
    """In float64 and neither averaged nor penalised: those of the gradient and the loss, with the sum of slopes."""
    data = problem(129, 48, storage, "logistic", "C", True)
    _, X, y, s, w = data
    objective = bound(memory, "logistic", storage, data, l1=0.1, l2=0.2, tiling=tiling)
    sums = objective.sums(w)
    assert arithmetic(storage) == w.dtype
    value, gradient = LOSSES["logistic"].reference(
        X.astype(float), y.astype(float), w.astype(float), sample_weight=s.astype(float)
    )
    total = s.sum(dtype=float)
    moved = 1.0 + (np.abs(X.astype(float)) @ np.abs(w[:-1].astype(float))).max()
    scale = np.append(np.abs(X.astype(float)).T @ s / total, 1.0)
    assert sums[-1] / total == pytest.approx(value, rel=10 * TOLERANCE[storage])
    assert np.all(np.abs(sums[:-1] / total - gradient) <= 10 * TOLERANCE[storage] * moved * scale)

"""The CUDA kernels of the softmax loss against the NumPy reference, emulated and on a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from devices import Memory
from steepest import reference
from storages import LARGEST, STORAGES, TOLERANCE, arithmetic, rounded, unit_of

each_dtype = pytest.mark.parametrize("storage", ["float32", "float64"])


def problem(n, d, k, storage, order="C", weighted=False, intercept=True, seed=0):
    """X as stored and as numbers, labels, weights, w and a direction."""
    rng = np.random.default_rng(seed)
    stored, X = rounded(np.asarray(rng.standard_normal((n, d)) / np.sqrt(d), order=order), storage)
    dtype = arithmetic(storage)
    s = rng.uniform(0.2, 3.0, n).astype(dtype) if weighted else None
    w, v = (rng.standard_normal((2, k, d + intercept)) * 2.0 / unit_of(storage)).astype(dtype)
    return stored, X, rng.integers(0, k, n).astype(dtype), s, w, v


def bound(memory, storage, data, intercept=True, l1=0.0, l2=0.0, offset=0):
    """The native objective of arrays that are copied to the device."""
    stored, _, y, s, w, _ = data
    weight, weight_sum = (0, float(len(y))) if s is None else (memory.put(s), float(s.sum(dtype=float)))
    return memory.module.SoftmaxObjective(
        storage, memory.put(stored, offset), *stored.shape, stored.flags.c_contiguous, memory.put(y), weight,
        weight_sum, len(w), intercept, l1, l2, memory.device, memory.stream,
    )  # fmt: skip


def gradient_of(memory, objective, w):
    gradient = memory.put(np.full(w.size, np.nan, w.dtype))
    value = objective.value_and_gradient(memory.put(w), gradient)
    return value, memory.get(gradient, w.shape, w.dtype)


def product_of(memory, objective, w, v):
    product = memory.put(np.full(w.size, np.nan, w.dtype))
    objective.hessian_product(memory.put(w), memory.put(v), product)
    return memory.get(product, w.shape, w.dtype)


def exact_product(X, w, v, s, intercept):
    """The product with the Hessian of the mean loss."""
    A = np.column_stack([X, np.ones(len(X))]) if intercept else X
    z = A @ w.T
    p = np.exp(z - z.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    u = A @ v.T
    change = p * (u - (p * u).sum(axis=1, keepdims=True)) * s[:, None]
    return change.T @ A / s.sum()


def check(memory, n, d, k, storage, order="C", weighted=False, intercept=True, alpha=0.0, offset=0):
    data = problem(n, d, k, storage, order, weighted, intercept)
    X, y, s, w, v = (None if each is None else each.astype(float) for each in data[1:])
    objective = bound(memory, storage, data, intercept, 0.25 * alpha, 0.75 * alpha, offset)
    value, gradient = gradient_of(memory, objective, data[4])
    keywords = {"sample_weight": s, "intercept": intercept, "alpha": alpha, "l1_ratio": 0.25}
    expected_value, expected = reference.softmax(X, y, w, **keywords)
    tolerance, size = 20 * TOLERANCE[storage], np.abs(X).max() + 1.0
    assert value == pytest.approx(expected_value, rel=tolerance)
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=tolerance * size)
    assert objective.value(memory.put(data[4])) == value

    weights = np.ones(n) if s is None else s
    along = exact_product(X, w, v, weights, intercept)
    sums = objective.product_sums(data[4].ravel(), data[5].ravel())
    products = sums[:-1].reshape(k, d + 1)[:, : d + intercept] / weights.sum()
    scale = np.abs(v).max() * size * size
    np.testing.assert_allclose(products, along, rtol=0, atol=tolerance * scale)
    along[:, :d] += 0.75 * alpha * v[:, :d]
    np.testing.assert_allclose(product_of(memory, objective, data[4], data[5]), along, rtol=0, atol=tolerance * scale)
    return objective


@each_dtype
@pytest.mark.parametrize(
    ("n", "d", "k"),
    [
        (1, 1, 2),
        (1, 5, 64),
        (31, 1, 3),
        (31, 5, 7),
        (31, 200, 2),
        (31, 200, 64),
        (1000, 33, 2),
        (1000, 33, 7),
        (300, 64, 64),
    ],
)
def test_value_gradient_and_product(memory, n, d, k, storage):
    check(memory, n, d, k, storage, weighted=True, alpha=0.2)


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("order", ["C", "F"])
def test_each_storage_and_order(memory, order, storage):
    check(memory, 150, 29, 5, storage, order, intercept=False)
    check(memory, 70, 48, 3, storage, order, offset=1)


@each_dtype
def test_rows_that_leave_room_for_few(memory, storage):
    """Tiles of fewer rows than a warp takes, of which one lies in shared memory."""
    tiles = {}
    for d in (9001, 27_000):
        objective = check(memory, 5, d, 3, storage, weighted=True)
        tiles[d] = objective.tile
    assert tiles[27_000] == (1 if storage == "float64" else 2, 1)


def test_what_does_not_fit_is_refused(memory):
    data = problem(2, 60_000, 2, "float32")
    with pytest.raises(
        ValueError, match=r"^X must have fewer columns, or fewer classes, .* got 60000 columns and 2 cl"
    ):
        bound(memory, "float32", data)


@each_dtype
def test_scores_far_apart(memory, storage):
    """Where the label has the largest score by far, the loss and the slopes keep their digits."""
    X = np.linspace(-1.0, 1.0, 40).reshape(20, 2).astype(storage)
    w = np.array([[300.0, -200.0, 0.0], [-400.0, 100.0, 5.0], [20.0, 30.0, -5.0]], storage)
    y = (X @ w[:, :2].T + w[:, 2]).argmax(axis=1).astype(storage)
    y[::3] = (y[::3] + 1) % 3
    data = X, X, y, None, w, w
    value, gradient = gradient_of(memory, bound(memory, storage, data), w)
    expected_value, expected = reference.softmax(X.astype(float), y.astype(float), w.astype(float))
    assert value == pytest.approx(expected_value, rel=20 * TOLERANCE[storage])
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=200 * TOLERANCE[storage])
    one, w = np.ones((1, 1), storage), np.array([[20.0, 0.0], [-20.0, 0.0], [-25.0, 0.5]], storage)
    value, _ = gradient_of(memory, bound(memory, storage, (one, one, np.zeros(1, storage), None, w, w)), w)
    assert value == pytest.approx(np.exp(-40.0) + np.exp(-44.5), rel=1e-5)


@pytest.mark.parametrize("storage", ["float32", "float64", "float16"])
def test_rows_of_weight_0_are_absent(memory, storage):
    """Where their scores overflow, all results have the bits of the rows of zeros."""
    found = []
    for fill in (LARGEST[storage], 0.0):
        stored, X, y, s, w, v = problem(90, 20, 4, storage, weighted=True)
        absent = np.arange(90) % 7 == 3
        s[absent] = 0.0
        stored[absent] = fill * np.where(np.arange(20) < 8, -1.0, 1.0)
        objective = bound(memory, storage, (stored, X, y, s, 4 * w, v))
        value, gradient = gradient_of(memory, objective, 4 * w)
        found.append((value, gradient, product_of(memory, objective, 4 * w, v)))
    for ours, theirs in zip(*found, strict=True):
        assert np.isfinite(ours).all()
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(memory, bad):
    data = problem(50, 32, 3, "float32")
    data[0][33, 5] = bad
    value, gradient = gradient_of(memory, bound(memory, "float32", data), data[4])
    assert not np.isfinite(value)
    assert not np.isfinite(gradient[:, 5]).any()


def test_the_same_bits_at_every_schedule_and_grid(memory):
    data, found = problem(700, 40, 7, "float32"), []
    emulated = hasattr(memory.module, "emulated_set")
    for seed, multiprocessors in ((1, 4), (2, 4), (3, 1), (4, 7)):
        if emulated:
            memory.module.emulated_set("EMULATED_SEED", seed)
            memory.module.emulated_set("EMULATED_MULTIPROCESSORS", multiprocessors)
        own = Memory(memory.module)
        objective = bound(own, "float32", data)
        value, gradient = gradient_of(own, objective, data[4])
        sums = objective.sums(data[4].ravel())
        found.append((value, gradient.tobytes(), sums.tobytes(), product_of(own, objective, *data[4:]).tobytes()))
    if emulated:
        memory.module.emulated_set("EMULATED_MULTIPROCESSORS", 4)
    assert found[0] == found[1] == found[2] == found[3]


def test_float_sums_keep_their_digits(memory):
    rng = np.random.default_rng(0)
    n = 30_000
    X = rng.uniform(0.5, 1.5, (n, 3)).astype(np.float32)
    y, w = rng.integers(0, 3, n).astype(np.float32), np.zeros((3, 4), np.float32)
    w[0] = 0.5, -0.25, 1.0, 0.1
    value, gradient = gradient_of(memory, bound(memory, "float32", (X, X, y, None, w, w)), w)
    expected_value, expected = reference.softmax(X.astype(float), y.astype(float), w.astype(float))
    assert value == pytest.approx(expected_value, rel=1e-6)
    assert np.abs(gradient - expected).max() < 3e-7


@each_dtype
def test_sums_of_a_pass(memory, storage):
    """In float64 and neither averaged nor penalised: the gradient and the slope of each class, then the loss."""
    data = problem(129, 11, 4, storage, weighted=True)
    _, X, y, s, w, _ = data
    sums = bound(memory, storage, data, l1=0.1, l2=0.2).sums(w.ravel())
    total = s.sum(dtype=float)
    value, gradient = reference.softmax(
        X.astype(float), y.astype(float), w.astype(float), sample_weight=s.astype(float)
    )
    assert sums[-1] / total == pytest.approx(value, rel=20 * TOLERANCE[storage])
    np.testing.assert_allclose(sums[:-1].reshape(4, 12) / total, gradient, rtol=0, atol=40 * TOLERANCE[storage])
    for wrong in (w.ravel()[:-1], w.ravel().astype("float64" if storage == "float32" else "float32")):
        with pytest.raises(ValueError, match="w must be a C-contiguous vector"):
            bound(memory, storage, data).sums(wrong)

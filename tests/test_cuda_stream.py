"""Passes whose rows stream through a ring in shared memory, in one launch: emulated and on a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from cases import LOSSES, Problem
from devices import Memory
from storages import rounded
from test_cuda_descent import ADAM, descend
from test_cuda_gradient import check, evaluate, problem

STREAMED = ["float32", "float16", "bfloat16", "int16"]
COLUMNS = [1, 3, 4, 7, 8, 15, 16, 30, 33, 64, 100, 129, 250, 512, 1000, 1024]


@pytest.fixture(params=[90, 80], ids=["bulk copies", "cp.async"])
def ring(request, memory):
    """The memory of a device whose ring is filled in one of the two ways."""
    if not hasattr(memory.module, "emulated_set"):
        if memory.module.device(0)["compute_capability"] < (9, 0) or request.param == 80:
            pytest.skip("a device fills its ring in one way only")
        yield memory
        return
    memory.module.emulated_set("EMULATED_COMPUTE", request.param)
    yield memory
    memory.module.emulated_set("EMULATED_COMPUTE", 90)


@pytest.mark.parametrize("storage", STREAMED)
@pytest.mark.parametrize("d", COLUMNS)
def test_rows_of_every_length(ring, d, storage):
    assert check(ring, 75, d, storage, tiling="stream") == "stream"


@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
@pytest.mark.parametrize("n", [1, 2, 31, 33, 257, 1000])
def test_few_rows(ring, n, storage):
    check(ring, n, 7, storage, tiling="stream")


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_weights_and_penalties(ring, loss, intercept):
    check(ring, 150, 40, "float32", loss, weighted=True, intercept=intercept, alpha=0.3, tiling="stream")


@pytest.mark.parametrize("storage", STREAMED)
@pytest.mark.parametrize("offset", [1, 3])
def test_an_address_that_is_not_a_multiple_of_16(ring, storage, offset):
    check(ring, 133, 48, storage, weighted=True, tiling="stream", offset=offset)


def assert_bits_of_lanes(memory, data, loss, storage, **options):
    ours, theirs = (evaluate(memory, loss, storage, data, tiling=tiling, **options) for tiling in ("stream", "lanes"))
    assert ours[2] == "stream"
    assert ours[0] == theirs[0]
    np.testing.assert_array_equal(ours[1], theirs[1])


# Chunks by n d / 8192: 1, fewer than parts, as many as blocks, more than blocks; and a chunk that is flushed twice.
@pytest.mark.parametrize(("n", "d"), [(50, 100), (500, 64), (1400, 48), (3000, 100), (20_000, 3), (300, 1000)])
@pytest.mark.parametrize("storage", ["float32", "bfloat16"])
def test_the_bits_of_lanes(ring, n, d, storage):
    data = problem(n, d, storage, weighted=True)
    assert_bits_of_lanes(ring, data, "logistic", storage, l1=0.1, l2=0.2)


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("d", [30, 250])
def test_the_bits_of_lanes_of_rows_that_are_not_aligned(ring, d, offset):
    assert_bits_of_lanes(ring, problem(900, d, "float16"), "poisson", "float16", offset=offset)


def test_the_same_bits_every_time(ring):
    data = problem(3000, 64, "float32")
    first, again = (evaluate(Memory(ring.module), "logistic", "float32", data, tiling="stream") for _ in range(2))
    assert first[0] == again[0]
    np.testing.assert_array_equal(first[1], again[1])


def test_one_objective_has_many_passes(ring):
    stored, X, y, _, w = problem(2000, 60, "float32")
    objective, gradient = objective_of(ring, stored, y), ring.put(np.zeros_like(w))
    for k in range(4):
        value = objective.value_and_gradient(ring.put(w * k), gradient)
        expected = LOSSES["logistic"].reference(X.astype(float), y.astype(float), (w * k).astype(float))
        assert value == pytest.approx(expected[0], rel=1e-5)
        np.testing.assert_allclose(ring.get(gradient, w.size, w.dtype), expected[1], atol=1e-5)


def objective_of(memory, stored, y, storage="float32", tiling="stream"):
    n, d = stored.shape
    return memory.module.Objective(
        "logistic", storage, memory.put(stored), n, d, True, memory.put(y), 0, float(n), True, 0.0, 0.0,
        memory.device, memory.stream, tiling,
    )  # fmt: skip


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows(ring, bad):
    data = problem(500, 32, "float32", "least_squares")
    data[0][433, 5] = bad
    value, gradient, _ = evaluate(ring, "least_squares", "float32", data, tiling="stream")
    assert not np.isfinite(value)
    assert not np.isfinite(gradient[5])


@pytest.mark.parametrize("batch_size", [None, 32])
def test_descent_has_the_bits_of_lanes(ring, batch_size):
    data = Problem("logistic", n=300, d=40, dtype=np.float32, weighted=True, alpha=0.01)
    ours, theirs = (descend(ring, data, ADAM, batch_size=batch_size, tiling=t) for t in ("stream", "lanes"))
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1], theirs[1])


@pytest.mark.parametrize(("storage", "d"), [("float64", 8), ("uint8", 8), ("float32", 1025)])
def test_what_does_not_stream_is_refused(memory, storage, d):
    stored = rounded(np.ones((4, d)), storage)[0]
    y = np.ones(4, np.float64 if storage == "float64" else np.float32)
    with pytest.raises(ValueError, match=r"^tiling stream takes rows of float32 or 16 bits.*got "):
        objective_of(memory, stored, y, storage)


def test_a_device_without_barriers_is_refused(memory):
    if not hasattr(memory.module, "emulated_set"):
        pytest.skip("a GPU is what it is")
    memory.module.emulated_set("EMULATED_COMPUTE", 75)
    try:
        with pytest.raises(ValueError, match=r"compute capability 8\.0"):
            objective_of(memory, np.ones((4, 8), np.float32), np.ones(4, np.float32))
    finally:
        memory.module.emulated_set("EMULATED_COMPUTE", 90)

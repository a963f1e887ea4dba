"""Scores of dense rows, and what predictions make of them, by the CUDA kernels: emulated and on a GPU."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

from storages import NARROW, arithmetic, rounded

# Rows and columns about the sizes of tiles, and scores about those of threads and of panels.
SHAPES = [(1, 1, 1), (3, 7, 1), (129, 33, 1), (300, 70, 1), (130, 9, 2), (5, 40, 8), (140, 33, 9), (9, 3, 130)]


def function(memory, name, dtype):
    return getattr(memory.module, f"{name}_{np.dtype(dtype).name}")


def scores_of(memory, stored, storage, W, b, offset=None, shift=0):
    """Whether all scores are finite, and the scores, of rows that begin `shift` elements into their memory."""
    n, k = len(stored), len(b)
    out = memory.put(np.full((n, k), np.nan, W.dtype))
    there = 0 if offset is None else memory.put(offset)
    is_finite = function(memory, "scores", W.dtype)(
        storage, memory.put(stored, shift), *stored.shape, stored.flags.c_contiguous, W, b, there, out, memory.device,
        memory.stream,
    )  # fmt: skip
    return is_finite, memory.get(out, (n, k), W.dtype)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    ("storage", "n", "d", "k"),
    [
        *((storage, *shape) for storage in ("float32", "float64") for shape in SHAPES),
        *((storage, *shape) for storage in NARROW for shape in ((129, 33, 1), (140, 33, 9))),
    ],
)
@pytest.mark.parametrize("wide", [False, True])
def test_scores(memory, wide, storage, n, d, k, order):
    """Sums are made in the dtype of X, or in float64 where the numbers of W have it."""
    rng = np.random.default_rng(n)
    stored, X = rounded(rng.standard_normal((n, d)), storage)
    dtype = np.float64 if wide else arithmetic(storage)
    W, b, offset = (rng.standard_normal(shape).astype(dtype) for shape in ((k, d), (k,), (n, k)))
    added = offset if n % 2 else None
    is_finite, found = scores_of(memory, np.asarray(stored, order=order), storage, W, b, added, shift=n % 3)
    exact = X.astype(float) @ W.T.astype(float) + b + (0.0 if added is None else added)
    size = np.abs(X.astype(float)) @ np.abs(W.T.astype(float)) + np.abs(b) + 1.0
    assert is_finite
    assert np.all(np.abs(found - exact) <= (d + 4) * np.finfo(dtype).eps * size)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_told(memory, bad, k):
    X = np.ones((200, 5))
    X[137, 4] = bad
    is_finite, found = scores_of(memory, X, "float64", np.ones((k, 5)), np.zeros(k))
    assert not is_finite
    assert np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist() == [137]


@pytest.mark.parametrize("k", [1, 11])
def test_the_same_bits_at_every_schedule(memory, k):
    rng, found = np.random.default_rng(0), []
    X, W = rng.standard_normal((400, 50)).astype(np.float32), rng.standard_normal((k, 50)).astype(np.float32)
    for seed in (1, 2, 3):
        if hasattr(memory.module, "emulated_set"):
            memory.module.emulated_set("EMULATED_SEED", seed)
        found.append(scores_of(memory, X, "float32", W, np.zeros(k, np.float32))[1].tobytes())
    assert found[0] == found[1] == found[2]


def test_the_rows_beside_change_no_bit(memory):
    """A row's score is the same in whatever rows it is predicted."""
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((300, 70)).astype(np.float32), rng.standard_normal((1, 70)).astype(np.float32)
    whole = scores_of(memory, X, "float32", W, np.zeros(1, np.float32))[1]
    for index in (slice(77, 78), slice(120, 270)):
        some = scores_of(memory, X[index].copy(), "float32", W, np.zeros(1, np.float32))[1]
        np.testing.assert_array_equal(some, whole[index])


def test_wrong_arguments_are_named(memory):
    X = np.ones((4, 3))
    for storage, W, b, message in (
        ("int64", np.ones((1, 3)), np.ones(1), "storage must be .*int64"),
        ("float64", np.ones((1, 3), np.float32), np.ones(1, np.float32), "W must be float64 for float64 rows"),
        ("float64", np.ones((1, 2)), np.ones(1), "W must have a row of 3 numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            scores_of(memory, X, storage, W, b)


def made_of(memory, kind, z, columns):
    n, k = z.shape
    there, out = memory.put(z), memory.put(np.full((n, columns), np.nan, z.dtype))
    function(memory, "predictions", z.dtype)(kind, there, n, k, out, None, memory.device, memory.stream)
    return memory.get(out, (n, columns), z.dtype)


def places_of(memory, z):
    found = np.empty(len(z), np.intc)
    function(memory, "predictions", z.dtype)("places", memory.put(z), *z.shape, 0, found, memory.device, memory.stream)
    return found


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("k", [1, 2, 3, 11])
def test_predictions(memory, k, dtype):
    rng = np.random.default_rng(k)
    z = np.concatenate([3.0 * rng.standard_normal((270, k)), 100.0 * rng.standard_normal((30, k))]).astype(dtype)
    z[0], z[1] = 0.0, -0.0
    exact, least, eps = z.astype(float), float(np.finfo(dtype).tiny), float(np.finfo(dtype).eps)
    both = np.column_stack([np.zeros(len(z)), exact]) if k == 1 else exact
    bound = eps * (20.0 + np.ptp(both, axis=1, keepdims=True))  # a difference of scores is rounded
    found, expected = made_of(memory, "probabilities", z, both.shape[1]), special.softmax(both, axis=1)
    assert np.all(np.abs(found - expected) <= bound * expected + least)
    found, expected = made_of(memory, "log_probabilities", z, both.shape[1]), special.log_softmax(both, axis=1)
    assert np.all(np.abs(found - expected) <= bound * np.abs(expected) + 1e-15)
    np.testing.assert_array_equal(places_of(memory, z), both.argmax(axis=1))
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_allclose(made_of(memory, "means", z, k), np.exp(z), rtol=20 * eps, atol=least)


def test_of_equal_scores_the_first_is_the_place(memory):
    assert places_of(memory, np.array([[1.0, 3.0, 3.0], [2.0, 2.0, 1.0], [0.0, 0.0, 0.0]])).tolist() == [1, 0, 0]

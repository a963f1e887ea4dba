"""Rows of weight 0 are absent from the CUDA kernels, even where their scores and losses overflow, in each tiling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from cases import LOSSES, RULES, Problem
from devices import Memory
from storages import LARGEST, STORAGES, TOLERANCE, arithmetic, rounded, unit_of
from test_cuda_descent import descend
from test_cuda_gradient import evaluate

TILINGS = [("C", "lanes"), ("C", "tiles"), ("C", "bulk"), ("C", "split"), ("F", "tiles"), ("F", "split")]
SIZES = [(33, 32), (129, 64), (300, 16)]
ADAM = RULES[10]
each_tiling = pytest.mark.parametrize(("order", "tiling"), TILINGS)


@dataclass(frozen=True)
class WithAbsentRows(Problem):
    """A problem whose rows of weight 0 hold +-fill."""

    fill: float = 0.0

    @property
    def data(self):
        found = rows(self.n, self.d, "float64", self.loss, self.fill)
        return np.asarray(found[1], order=self.order), *found[2:4]


def rows(n, d, storage, loss, fill):
    """X as stored and as numbers, y, weights, w, which rows are absent. These hold +-fill; their targets overflow."""
    rng = np.random.default_rng(n)
    dtype = arithmetic(storage)
    X, weight = (
        LOSSES[loss].deviation * rng.standard_normal((n, d)) / np.sqrt(d),
        rng.uniform(0.5, 2.0, n).astype(dtype),
    )
    y = LOSSES[loss].targets(rng.standard_normal(n)).astype(dtype)
    w = rng.standard_normal(d + 1)
    w = ((3 * w + np.copysign(1, w)) / unit_of(storage)).astype(dtype)
    absent = rng.random(n) < 0.3
    absent[[0, n - 1]], absent[1] = True, False  # the ends of a tile among them
    weight[absent] = 0.0
    X[absent] = fill * np.where(np.arange(d) < 0.4 * d, -1.0, 1.0)  # as the start of a descent: their sum overflows
    if loss != "logistic":
        y[absent] = np.finfo(dtype).max / 2 if fill else 0.0
    return *rounded(X, storage), y, weight, w, absent


@each_tiling
@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("n", "d"), SIZES)
def test_a_pass(memory, n, d, loss, storage, order, tiling):
    found = {}
    for fill in (LARGEST[storage], 0.0):
        stored, *others, absent = rows(n, d, storage, loss, fill)
        data = np.asarray(stored, order=order), *others
        found[fill] = evaluate(Memory(memory.module), loss, storage, data, order=order, tiling=tiling)
    (value, gradient, used), twin = found.values()
    assert used == tiling
    # The bits of rows of zeros, whose 0 * 0 adds nothing.
    assert value == twin[0]
    np.testing.assert_array_equal(gradient, twin[1])
    # The numbers of the rows that are left alone.
    X, y, weight, w = (each.astype(float) for each in others)
    there = ~absent
    expected = LOSSES[loss].reference(X[there], y[there], w, sample_weight=weight[there])
    assert value == pytest.approx(expected[0], rel=10 * TOLERANCE[storage])
    size = np.abs(w).sum() * 20 * TOLERANCE[storage]
    np.testing.assert_allclose(gradient, expected[1], rtol=0, atol=size)


@each_tiling
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("batch_size", [None, 8])
def test_a_descent(memory, batch_size, loss, order, tiling):
    paths = []
    for fill in (LARGEST["float64"], 0.0):
        problem = WithAbsentRows(loss, n=33, d=32, order=order, weighted=True, fill=fill)
        path, evaluations = descend(Memory(memory.module), problem, ADAM, batch_size=batch_size, tiling=tiling)
        assert np.isfinite(path).all()
        assert np.isfinite(evaluations).all()
        paths.append(path)
    np.testing.assert_array_equal(*paths)

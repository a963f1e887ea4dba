"""Coordinate descent beside an L1 penalty, and the proximal point that it leads to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as strategy

from steepest import _core, reference
from steepest.working_sets.proximal_point import proximal_point


def model(p: int, rank: int, seed: int = 0, strength: float = 0.3) -> tuple[Any, ...]:
    """Make a quadratic model in units over four decades, of which a ridge makes the rest of the rank."""
    random = np.random.default_rng(seed)
    half = random.standard_normal((rank, p)) * np.geomspace(1e-2, 1e2, p)
    matrix = half.T @ half / rank
    matrix.flat[:: p + 1] *= 1 + 1e-9
    scale = np.sqrt(np.diag(matrix))
    l1 = strength * scale * random.integers(0, 2, p)
    return matrix, random.standard_normal(p) * scale, random.standard_normal(p) / scale, l1


def smallest_subgradient(parts: tuple[Any, ...], z: Any) -> float:
    matrix, gradient, w, l1 = parts
    slope = gradient + matrix @ (z - w)
    found = np.where(z == 0, reference.soft_threshold(slope, l1), slope + l1 * np.sign(z))
    return float(np.abs(found / np.sqrt(np.diag(matrix))).max())


def value(parts: tuple[Any, ...], z: Any) -> float:
    matrix, gradient, w, l1 = parts
    return float(gradient @ (z - w) + 0.5 * (z - w) @ matrix @ (z - w) + l1 @ np.abs(z))


@pytest.mark.usefixtures("isa")
@pytest.mark.parametrize("p", [1, 2, 3, 7, 8, 9, 16, 17, 33, 65])
def test_sweeps_go_downhill_and_settle_at_the_minimum(p: int) -> None:
    parts = model(p, 3 * p)
    z = parts[2]
    for _ in range(5):
        further, _ = _core.coordinate_descent(*parts, z, 1, 1e-12)
        assert value(parts, further) <= value(parts, z) + 1e-12 * abs(value(parts, z))
        z = further
    z, settled = _core.coordinate_descent(*parts, z, 10_000, 1e-12)
    assert settled
    assert smallest_subgradient(parts, z) < 1e-8


@given(strategy.integers(0, 10_000), strategy.integers(1, 40), strategy.floats(0.2, 3), strategy.floats(0, 2))
@settings(max_examples=60)
def test_the_proximal_point_is_the_minimum(seed: int, p: int, ranks: float, strength: float) -> None:
    parts = model(p, max(1, round(ranks * p)), seed, strength)
    z = proximal_point(*parts)
    assert value(parts, z) <= value(parts, parts[2])
    free = parts[3] == 0
    if ranks >= 1 or not free.any():  # else there may be no minimum but the ridge's, far out
        assert smallest_subgradient(parts, z) < 1e-5


def test_without_a_penalty_it_is_newtons_step() -> None:
    matrix, gradient, w, _ = model(20, 60)
    z = proximal_point(matrix, gradient, w, np.zeros(20))
    scale = np.sqrt(np.diag(matrix))
    np.testing.assert_allclose(z * scale, (w - np.linalg.solve(matrix, gradient)) * scale, rtol=1e-6, atol=1e-8)


def test_nothing_moves_at_the_minimum() -> None:
    matrix, gradient, w, l1 = model(20, 60)
    z = proximal_point(matrix, gradient, w, l1)
    again, settled = _core.coordinate_descent(matrix, gradient, w, l1, z, 1, 1e-6)
    assert settled
    np.testing.assert_allclose(again, z, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    ("at", "bad"),
    [(0, np.ones((2, 3))), (0, np.ones(2)), (1, np.ones(3)), (2, np.ones(2, np.float32)), (3, None), (4, np.ones(1))],
)
def test_bad_arrays_are_refused(at: int, bad: Any) -> None:
    arguments = [np.eye(2), np.ones(2), np.ones(2), np.ones(2), np.ones(2)]
    arguments[at] = bad
    with pytest.raises((TypeError, ValueError), match=r"matrix|slope|w must|l1|start"):
        _core.coordinate_descent(*arguments, 1, 0.0)

"""Steps beside an L1 penalty: the proximal point of a quadratic model, and orthant-wise directions."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["orthant_direction", "proximal_point", "pseudo_gradient"]

Vector: TypeAlias = NDArray[np.float64]

_STEPS = 2000
_GUESSES = 6
_FIRST_TRY = 40  # steps to the second try, then after twice as many
_TOLERANCE = 1e-10


def proximal_point(matrix: Vector, gradient: Vector, w: Vector, l1: Vector) -> Vector:
    """Return the z that minimises gradient.(z - w) + (z - w).matrix(z - w) / 2 + sum l1 |z|.

    Accelerated proximal gradient descent with restarts (Beck, Teboulle 2009; O'Donoghue, Candes 2015), in coordinates
    in which the matrix has the diagonal 1; now and then an active-set method tries to end it with exact steps.

    Parameters
    ----------
    matrix : array of shape (p, p)
        Positive definite.
    gradient, w, l1 : arrays of shape (p,)
        l1 is at least 0.
    """
    scale = np.sqrt(np.diag(matrix))
    scaled = matrix / np.outer(scale, scale)
    threshold, slope, origin = l1 / scale, gradient / scale, w * scale
    step = 0.0
    here = ahead = origin
    momentum, next_try = 1.0, 0
    for t in range(_STEPS):
        if t == next_try:
            exact = _active_set(scaled, slope, origin, threshold, here)
            if exact is not None:
                return np.asarray(exact / scale)
            next_try = 2 * t + _FIRST_TRY
            step = step or 1.0 / float(np.linalg.eigvalsh(scaled)[-1])
        descent = slope + scaled @ (ahead - origin)
        found = _shrunk(ahead - step * descent, step * threshold)
        if float((ahead - found) @ (found - here)) > 0.0 and momentum > 1.0:  # it goes uphill: restart
            momentum, ahead = 1.0, here
            continue
        faster = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        moved = found - here
        ahead = found + (momentum - 1.0) / faster * moved
        here, momentum = found, faster
        if float(np.abs(moved).max()) <= _TOLERANCE * (1.0 + float(np.abs(here).max())):
            break
    return np.asarray(here / scale)


def _shrunk(v: Vector, threshold: Vector) -> Vector:
    """Move each element towards 0 by its threshold but not past it."""
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0))


def _active_set(matrix: Vector, slope: Vector, origin: Vector, threshold: Vector, z: Vector) -> Vector | None:
    """Guess which coordinates are not 0, solve for them, guess again (Hintermueller, Ito, Kunisch 2002)."""
    before = b""
    for _ in range(_GUESSES):
        beyond = z - slope - matrix @ (z - origin)
        signs = np.sign(beyond) * (np.abs(beyond) > threshold) * (threshold > 0)
        if signs.tobytes() == before:
            return z
        before, free = signs.tobytes(), (signs != 0) | (threshold == 0)
        z = np.zeros_like(z)
        right = matrix[free] @ origin - slope[free] - threshold[free] * signs[free]
        try:
            z[free] = np.linalg.solve(matrix[np.ix_(free, free)], right)
        except np.linalg.LinAlgError:
            return None
    return None


def pseudo_gradient(gradient: Vector, w: Vector, l1: Vector) -> Vector:
    """Return the smallest subgradient beside sum l1 |w|."""
    return np.where(w == 0, _shrunk(gradient, l1), gradient + l1 * np.sign(w))


def orthant_direction(direction: Vector, pseudo: Vector) -> Vector:
    """Return a direction without the coordinates in which it does not go down."""
    return np.where(direction * pseudo < 0, direction, 0.0)

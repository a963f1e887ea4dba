"""The best intercepts beside given coefficients."""

from __future__ import annotations

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..objectives.data import DataObjective
from ..objectives.loss import RowTerms

__all__ = ["best_level"]

Vector: TypeAlias = NDArray[np.float64]

_STEPS = 60
_HALVES = 30
_SATURATED = 1e-6  # curvature over slope, below which a step of Newton is far too long
_EPS = float(np.finfo(np.float64).eps)


def best_level(objective: DataObjective, scores: Vector, terms: RowTerms, y: Vector, shares: Vector) -> RowTerms:
    """Move scores of shape (n_scores, n), in place, by the best intercepts. Return the terms of the rows there.

    The weighted slopes of each score then add up to 0, but for rounding: a dual point needs that.
    """
    move = _level_one if len(scores) == 1 else _level_several
    return move(objective, scores, terms, y, shares)


def _sum(shares: Vector, values: Vector) -> float:
    return float(np.einsum("i,i->", shares, values))


def _level_one(objective: DataObjective, scores: Vector, terms: RowTerms, y: Vector, shares: Vector) -> RowTerms:
    """Newton's method within a bracket. For counts it begins where the means add up to the targets."""
    if objective.is_of_counts and (total := _sum(shares, y)) > 0.0:  # from far below, a step of Newton overflows
        top = float(scores.max())
        scores += math.log(total) - top - math.log(_sum(shares, np.exp(scores[0] - top)))
        terms = objective.row_terms(scores, y)
    low, high, largest = -math.inf, math.inf, float(np.abs(y).max())
    for _ in range(_STEPS):
        slope = _sum(shares, terms.slopes[0])
        if not abs(slope) > _EPS * _sum(shares, np.abs(terms.slopes[0])):
            break
        curvature = _sum(shares, terms.curvatures[0])
        reach = 2.0 * (1.0 + largest + float(np.abs(scores).max()))  # where all rows are saturated, Newton's is far
        step = min(max(-slope / curvature, -reach), reach) if curvature > 0.0 else -math.copysign(reach, slope)
        low, high = (low, 0.0) if slope > 0.0 else (0.0, high)
        if not low < step < high:
            step = 0.5 * (low + high)
        if not abs(step) > 0.25 * _EPS * float(np.abs(scores).max()) or math.isinf(step):
            break
        low, high = low - step, high - step
        scores += step
        terms = objective.row_terms(scores, y)
    return terms


def _level_several(objective: DataObjective, scores: Vector, terms: RowTerms, y: Vector, shares: Vector) -> RowTerms:
    """Newton's method with backtracking, for the probabilities of classes.

    Where all rows are saturated, it begins anew at means of 0, if these are better.
    """
    k, begun = len(scores), False
    for _ in range(_STEPS):
        slope = np.einsum("i,ci->c", shares, terms.slopes)
        size = np.einsum("i,ci->c", shares, np.abs(terms.slopes))
        if not (np.abs(slope) > _EPS * size).any():
            break
        p = _probabilities(terms, y)
        matrix = np.diag(np.einsum("i,ci->c", shares, p)) - np.einsum("i,ci,ei->ce", shares, p, p)
        largest = float(np.diag(matrix).max())
        if not (begun or largest > _SATURATED * float(np.abs(slope).max())):
            begun, centred = True, scores - (np.einsum("i,ci->c", shares, scores) / shares.sum())[:, None]
            found = objective.row_terms(centred, y)
            if _sum(shares, found.values) < _sum(shares, terms.values):
                scores[:], terms = centred, found
                continue
        if not largest > 0.0:
            break
        matrix += largest / k + 1e-14 * largest * np.eye(k)  # ones along the direction that changes nothing
        step = -np.linalg.solve(matrix, slope)
        step -= step.mean()
        value, share = _sum(shares, terms.values), 1.0
        for _ in range(_HALVES):
            moved = scores + share * step[:, None]
            found = objective.row_terms(moved, y)
            if _sum(shares, found.values) <= value * (1.0 + 4.0 * _EPS):
                break
            share *= 0.5
        else:
            break
        if not (np.abs(share * step) > 0.25 * _EPS * float(np.abs(scores).max())).any():
            break
        scores[:], terms = moved, found
    return terms


def _probabilities(terms: RowTerms, y: Vector) -> Vector:
    found = terms.slopes.copy()
    found[y.astype(np.intp), np.arange(len(y))] += 1.0
    return found

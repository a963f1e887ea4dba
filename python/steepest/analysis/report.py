"""The report that a curvature prints, and its advice, with numbers."""

from __future__ import annotations

import math

import numpy as np

from .figures import CurvatureFigures

__all__ = ["WELL_CONDITIONED", "about", "advice", "report"]

WELL_CONDITIONED = 100.0
_UNLIKE = 10.0  # columns are named if their scales differ from the median by this factor
_GAIN = 10.0  # standardising is advised if it divides the condition number by this factor
_NAMED = 4
_REPORT_TOLERANCE = 1e-6


def about(number: float) -> str:
    """Return a forecast in words, with two digits: "about 2.2 million"."""
    if number == math.inf:
        return "endless"
    number = float(f"{number:.2g}")
    for size, unit in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if size <= number:
            return f"about {number / size:,g} {unit}"
    return f"about {int(number):,}"


def report(c: CurvatureFigures) -> str:
    """Return a short report: the spectrum, the rates, the steps and the advice."""
    known = "all by LAPACK" if c.method == "dense" else "the extremes by Lanczos"
    lines = [
        f"Curvature at w: {c.n_parameters:,} parameters, {_kind(c)}",
        f"  eigenvalues          {c.eigenvalue_min:.3g} to {c.eigenvalue_max:.3g} ({known})",
        f"  condition number     {_condition(c)}",
    ]
    if c.effective_condition_number < math.inf:
        momentum = f"{c.best_momentum_learning_rate:.3g} with momentum {c.best_momentum:.6g}"
        lines += [
            f"  learning rate        below {c.max_learning_rate:.3g}; best {c.best_learning_rate:.3g}, or {momentum}",
            f"  steps to {_REPORT_TOLERANCE:g}       {_steps(c)}",
        ]
    return "\n".join([*lines, *(f"  {'advice:' if i == 0 else '':20} {line}" for i, line in enumerate(advice(c)))])


def _kind(c: CurvatureFigures) -> str:
    article = {"minimum": "a ", "maximum": "a ", "saddle": "a ", "degenerate": "stationary but "}.get(c.kind, "")
    return f"{article}{c.kind} (|gradient| {c.gradient_norm:.2g}, zero up to {c.gradient_tolerance:.2g})"


def _condition(c: CurvatureFigures) -> str:
    if c.condition_number < math.inf:
        return f"{c.condition_number:.3g}"
    if c.eigenvalue_min < -c.zero_tolerance or c.eigenvalue_max <= c.zero_tolerance:
        return "none: the curvature is not positive"
    if c.effective_condition_number == math.inf:
        return f"more than Lanczos can tell (above {c.eigenvalue_max / c.zero_tolerance:.2g})"
    flat = c.n_parameters - c.rank
    return f"{c.effective_condition_number:.3g}, without {flat} flat direction{'s' * (flat > 1)}"


def _steps(c: CurvatureFigures) -> str:
    names = {"gradient_descent": "plain descent", "heavy_ball": "heavy ball", "accelerated": "accelerated"}
    counts = [f"{name} {c.predicted_steps(_REPORT_TOLERANCE, method):,}" for method, name in names.items()]
    return f"of the distance to the minimum: {', '.join(counts)}"


def advice(c: CurvatureFigures) -> list[str]:
    """Return what to do about this curvature, one sentence for each item."""
    kappa = c.effective_condition_number
    if c.eigenvalue_min < -c.zero_tolerance:
        down = "" if c.gradient_norm > c.gradient_tolerance else "; step along eigenvectors[:, 0] to leave it"
        return [
            f"the curvature is negative ({c.eigenvalue_min:.3g}) in one direction: descent leads away from here{down}"
        ]
    if kappa == math.inf and c.eigenvalue_max > c.zero_tolerance:
        return [_flat(c), 'curvature(..., method="dense") tells how fast descent is in the other directions']
    if kappa == math.inf:
        return ["the curvature is zero here: only the gradient says where to go"]
    told = [_flat(c)] if c.rank < len(c.eigenvalues) else []
    if kappa <= WELL_CONDITIONED:
        rate = f"a learning rate of {c.best_learning_rate:.3g}"
        return [*told, f"condition number {kappa:.2g}: descent converges fast with {rate}"]
    slow = f"condition number {kappa:.2g}: plain descent needs {about(c.predicted_steps(_REPORT_TOLERANCE))} steps"
    scaled = c.standardised_condition_number
    if scaled is not None and scaled * _GAIN < kappa:
        return [*told, f"{slow}; standardise the features{_unlike(c)}: that leaves a condition number of {scaled:.2g}"]
    momentum = f"st.Momentum({c.best_momentum_learning_rate:.3g}, momentum={c.best_momentum:.6g})"
    fewer = f"{momentum} needs {about(c.predicted_steps(_REPORT_TOLERANCE, 'heavy_ball'))}"
    why = "" if scaled is None else "; the features are correlated, so standardising them would help little"
    return [*told, f"{slow}, {fewer}{why}"]


def _unlike(c: CurvatureFigures) -> str:
    """Name the columns whose scale is farthest from the median scale."""
    if c.parameter_scales is None:
        return ""
    scales = c.parameter_scales[:-1]
    curved = np.flatnonzero(scales > 0)
    if not curved.size:
        return ""
    off = np.abs(np.log(scales[curved] / np.median(scales[curved])))
    order = curved[np.argsort(-off, kind="stable")][: int((off >= math.log(_UNLIKE)).sum())]
    if not order.size:
        return ""
    named = ", ".join(map(str, sorted(order[:_NAMED]))) + (", ..." if order.size > _NAMED else "")
    spread = float(scales[curved].max() / scales[curved].min())
    return f" (column{'s' * (order.size > 1)} {named}; scales differ by {spread:.0e})".replace("e+0", "e")


def _flat(c: CurvatureFigures) -> str:
    if c.method == "lanczos":
        return "there are flat directions: columns depend on one another; alpha > 0 makes the minimum unique"
    n = c.n_parameters - c.rank
    weights = np.abs(c.eigenvectors[:, np.abs(c.eigenvalues) <= c.zero_tolerance]).max(axis=1)
    taking_part = np.flatnonzero(weights > 0.1)
    named = ", ".join(map(str, taking_part[:_NAMED])) + (", ..." if taking_part.size > _NAMED else "")
    directions = f"{n} flat direction{'s' * (n > 1)} (among parameters {named})"
    return f"{directions}: columns depend on one another or are constant; alpha > 0 makes the minimum unique"

"""`learning_rates`: the curve of the learning rate finder, or the runs at several rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.checks import describe
from .loss import LOG_RANGE
from .runs import Array, check_history, finite, labelled
from .style import COLOURS, DASHES, axes_for, sequence, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# A diverging run is shown up to this much above the highest loss at a start: a factor, or a share of the range.
HEADROOM = {"log": 10.0, "linear": 0.25}


def learning_rates(curve: Any, *, ax: Axes | None = None) -> Axes:
    """Draw how the loss depends on the learning rate.

    Parameters
    ----------
    curve : LearningRateCurve, GridSearch, or mapping of float to Result
        For a LearningRateCurve, the raw and the smoothed losses are drawn over the rates, with the suggested rate. For
        a GridSearch or a mapping of rates to runs, the loss of each run is drawn over its steps. A smaller rate has a
        darker line. A run that diverges is dashed and leaves the plot at the top.
    ax : matplotlib.axes.Axes, optional
        The axes to draw in. By default a new figure is made.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    TypeError
        `curve` has the wrong type, or a rate is not a number.
    ValueError
        There is no run, or no smoothed loss is finite.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.ones((1, 1)), np.ones(1), intercept=False)
    >>> search = st.grid_search(objective, st.GradientDescent(0.1), [0.25, 0.5, 1.5], max_epochs=5)
    >>> ax = st.plot.learning_rates(search)
    >>> ax.get_legend_handles_labels()[1]
    ['0.25', '0.5', '1.5 (diverges)']
    """
    if all(hasattr(curve, name) for name in ("learning_rates", "losses", "smoothed_losses", "suggestion")):
        return _draw_curve(axes_for(ax), curve)
    runs = labelled(curve)
    if "" in runs:
        expected = "curve must be a LearningRateCurve, a GridSearch or a mapping of learning rates to Results"
        raise TypeError(f"{expected}, got {describe(curve)}")
    return _draw_runs(axes_for(ax), _sorted(runs), ax is None)


def _draw_curve(ax: Axes, curve: Any) -> Axes:
    rates = np.asarray(curve.learning_rates, dtype=float)
    smooth = finite(curve.smoothed_losses)
    ax.plot(rates, finite(curve.losses), color=COLOURS[0], alpha=0.3, lw=1.0, label="mini-batches")
    ax.plot(rates, smooth, color=COLOURS[0], lw=2.2, label="smoothed")
    ax.set_xscale("log")
    rate = curve.suggestion
    if rate is not None and np.isfinite(rate):
        order = np.argsort(rates)
        loss = np.interp(np.log(rate), np.log(rates[order]), smooth[order])
        ax.axvline(rate, color=COLOURS[1], lw=1.2, ls=DASHES, zorder=1.5)
        ax.plot(rate, loss, "o", color=COLOURS[1], mec="white", ms=9, zorder=3, label=f"suggestion: {rate:.2g}")
    _limit_to(ax, smooth)
    ax.set_xlim(rates.min(), rates.max())
    ax.set_xlabel("learning rate")
    ax.set_ylabel("loss")
    tidy(ax)
    ax.legend(frameon=False)
    return ax


def _limit_to(ax: Axes, smooth: Array) -> None:
    """Show the smoothed losses up to somewhat above the first ones; higher ones are divergence."""
    known = smooth[np.isfinite(smooth)]
    if known.size == 0:
        raise ValueError("curve must have a finite smoothed loss, got none")
    low, high = known.min(), known.max()
    high = min(high, low + 1.6 * (np.max(known[: max(known.size // 4, 1)]) - low)) if known.size > 1 else high
    if high > low:
        ax.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))


def _sorted(runs: dict[Any, Any]) -> dict[float, Any]:
    if not runs:
        raise ValueError("curve must hold at least one run, got none")
    for rate, run in runs.items():
        if isinstance(rate, bool) or not isinstance(rate, int | float | np.floating):
            raise TypeError(f"curve must map learning rates, which are numbers, to Results, got {describe(rate)}")
        check_history("curve", run, ("epoch", "loss"))
    return {float(rate): runs[rate] for rate in sorted(runs)}


def _draw_runs(ax: Any, runs: dict[float, Any], own: bool) -> Axes:
    losses = {rate: finite(run.history["loss"]) for rate, run in runs.items()}
    known = np.concatenate(list(losses.values()))
    low, start = np.nanmin(known), max(loss[0] for loss in losses.values())
    for (rate, run), colour in zip(runs.items(), sequence(len(runs)), strict=True):
        loss, diverges = losses[rate], _diverges(run, losses[rate], low)
        label = f"{rate:g}{' (diverges)' if diverges else ''}"
        marker = "X" if diverges and len(loss) == 1 else "o" if len(loss) == 1 else ""
        ax.plot(_steps(run), loss, marker=marker, ls=DASHES if diverges else "-", color=colour, lw=2, label=label)
    _limit_below(ax, float(low), float(start), float(np.nanmax(known)))
    ax.margins(x=0.02)
    ax.set_xlabel("step")
    ax.set_ylabel("loss")
    tidy(ax)
    place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0} if own else {"loc": "best"}
    ax.legend(title="learning rate", framealpha=0.9, edgecolor="none", **place)
    return ax  # type: ignore[no-any-return]


def _limit_below(ax: Any, low: float, start: float, high: float) -> None:
    """Choose the scale of the loss axis, and cut off runs that diverge."""
    if low > 0 and start > LOG_RANGE * low:
        ax.set_yscale("log")
        high = min(high, HEADROOM["log"] * start)
        ax.set_ylim(low / (high / low) ** 0.05, high * (high / low) ** 0.05)
        return
    extent = (start - low) or max(abs(start), 1.0)
    high = min(high, start + HEADROOM["linear"] * extent)
    ax.set_ylim(low - 0.05 * extent, high + 0.05 * extent)


def _diverges(run: Any, loss: Array, low: float) -> bool:
    if getattr(run, "stop_reason", "") == "diverged" or not np.isfinite(loss[-1]):
        return True
    return bool(loss[-1] - low > 1.1 * (loss[0] - low))


def _steps(run: Any) -> Array:
    epochs = np.asarray(run.history["epoch"], dtype=float)
    n_steps, n_epochs = getattr(run, "n_steps", 0), getattr(run, "n_epochs", 0)
    return epochs * n_steps / n_epochs if n_steps and n_epochs else epochs

"""`loss_curve`: the loss of runs over epochs or seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..arrays.checks import check_flag
from ..extras import require
from .runs import Array, Run, Runs, check_history, finite, is_search, labelled, text_of
from .style import COLOURS, DASHES, axes_for, colours, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Losses that span more than this factor are drawn on a log axis.
LOG_RANGE = 30.0


def loss_curve(
    result: Run | Mapping[str, Run] | Runs,
    *,
    ax: Axes | None = None,
    x: Literal["epoch", "seconds"] = "epoch",
    log: bool | None = None,
    log_x: bool = False,
) -> Axes:
    """Draw the loss of one run or of several over epochs or seconds.

    Training losses are solid lines and validation losses dashed ones. A dot marks the best epoch.

    Parameters
    ----------
    result : Result, mapping of str to Result, list of Result, or GridSearch
        The run, or several runs by the label that the legend shows. Any object with a `history` counts as a run.
    ax : matplotlib.axes.Axes, optional
        The axes to draw in. By default a new figure is made.
    x : {"epoch", "seconds"}
        The horizontal axis.
    log : bool, optional
        Whether the loss axis is logarithmic. By default it is if all losses are positive and span a factor above 30.
    log_x : bool
        Whether the horizontal axis is logarithmic. The axis is linear from the start, which is at 0, to the first row
        after it.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    TypeError
        A run has no `history`, or `log_x` is not a bool.
    ValueError
        There is no run, `x` is unknown, or a history lacks "loss" or the x column.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> objective = st.LeastSquares(np.eye(2), np.array([3.0, -1.0]), intercept=False)
    >>> runs = {f"rate {rate}": st.minimize(objective, optimizer=st.GradientDescent(rate)) for rate in (0.1, 0.2)}
    >>> ax = st.plot.loss_curve(runs)
    >>> ax.get_legend_handles_labels()[1]
    ['rate 0.1', 'rate 0.2']
    >>> ax.get_xlabel(), ax.get_ylabel(), ax.get_yscale()
    ('epoch', 'loss', 'log')
    """
    several = isinstance(result, Mapping | list | tuple) or is_search(result)
    runs = labelled(result)
    _check(runs, x)
    check_flag("log_x", log_x)
    ax = axes_for(ax)
    for (label, run), colour in zip(runs.items(), colours(len(runs)), strict=True):
        _draw(ax, run, text_of(label), x, colour)
    if several and any("validation_loss" in run.history for run in runs.values()):
        ax.plot([], [], "o", color="0.4", lw=1.8, ls=DASHES, label="validation, best epoch")
    _decorate(ax, runs, x, log)
    if log_x:
        _log_x(ax, runs, x)
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(frameon=False, title="learning rate" if is_search(result) else None)
    return ax


def _check(runs: Mapping[Any, Any], x: str) -> None:
    if not runs:
        raise ValueError("result must hold at least one run, got none")
    if x not in ("epoch", "seconds"):
        raise ValueError(f"x must be 'epoch' or 'seconds', got {x!r}")
    for run in runs.values():
        check_history("result", run, (x, "loss"))


def _draw(ax: Axes, run: Any, label: str, x: str, colour: Any) -> None:
    history = run.history
    marker = "o" if len(history[x]) == 1 else None
    ax.plot(history[x], finite(history["loss"]), color=colour, marker=marker, lw=2, label=label or "training")
    validation = history.get("validation_loss")
    if validation is None:
        return
    held_out_colour = colour if label else COLOURS[1]
    held_out_label = None if label else "validation"
    ax.plot(history[x], finite(validation), color=held_out_colour, lw=1.8, ls=DASHES, label=held_out_label)
    best = _best_row(run, validation)
    if best is not None:
        text = None if label else f"best: {validation[best]:.4g} at epoch {history['epoch'][best]:g}"
        ax.plot(history[x][best], validation[best], "o", color=held_out_colour, mec="white", ms=8, zorder=3, label=text)


def _best_row(run: Any, validation: Array) -> int | None:
    epoch = getattr(run, "best_epoch", None)
    epochs = run.history.get("epoch")
    if epoch is None or epochs is None or epoch not in epochs:
        return None
    row = int(np.flatnonzero(np.asarray(epochs) == epoch)[0])
    return row if np.isfinite(validation[row]) else None


def _spans_decades(runs: Mapping[Any, Any]) -> bool:
    columns = [run.history.get(name, []) for run in runs.values() for name in ("loss", "validation_loss")]
    values = np.concatenate([np.asarray(column, dtype=float) for column in columns])
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > LOG_RANGE * values.min())


def _decorate(ax: Axes, runs: Mapping[Any, Any], x: str, log: bool | None) -> None:
    if _spans_decades(runs) if log is None else log:
        ax.set_yscale("log")
    if x == "epoch":
        locator = require("matplotlib.ticker", "plot").MaxNLocator(integer=True, steps=[1, 2, 5, 10])
        ax.xaxis.set_major_locator(locator)
    ax.set_xlabel("epoch" if x == "epoch" else "time (s)")
    ax.set_ylabel("loss")
    ax.margins(x=0.02)
    tidy(ax)


def _log_x(ax: Axes, runs: Mapping[Any, Any], x: str) -> None:
    values = np.concatenate([np.asarray(run.history[x], dtype=float) for run in runs.values()])
    positive = values[values > 0]
    if positive.size == 0:
        return
    ax.set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
    ax.set_xlim(0.0, positive.max() * 1.1)

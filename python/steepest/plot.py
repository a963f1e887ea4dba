"""Pictures of runs, drawn with matplotlib (the extra `plot`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from .extras import require

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = npt.NDArray[Any]
# A loss that falls by more than this factor is drawn on a log axis.
LOG_RANGE = 30.0
DASHES = (0, (4, 2))


class Run(Protocol):
    """What `loss_curve` reads of a Result: its history, and `best_epoch` where it has one."""

    @property
    def history(self) -> Mapping[str, Array]:
        """Arrays by name: "epoch", "loss" and, where asked, "seconds" and "validation_loss"."""


def loss_curve(
    result: Run | Mapping[str, Run],
    *,
    ax: Axes | None = None,
    x: Literal["epoch", "seconds"] = "epoch",
    log: bool | None = None,
) -> Axes:
    """Draw the loss of one run, or of several, over its epochs.

    Parameters
    ----------
    result : Result, or mapping of str to Result
        A run; or several, by the label that the legend shows. Anything with `history` will do.
    ax : matplotlib.axes.Axes, optional
        Where to draw. Without one a new figure is made.
    x : {"epoch", "seconds"}
        The horizontal axis.
    log : bool, optional
        Whether the loss axis is logarithmic. Without it: where all losses are positive and span a factor above 30.

    Returns
    -------
    matplotlib.axes.Axes
        Training losses are solid lines and validation losses dashed ones; a dot marks the best epoch.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    TypeError
        A run has no `history`.
    ValueError
        There is no run, `x` is unknown, or a history lacks "loss" or the x column.
    """
    runs = dict(result) if isinstance(result, Mapping) else {"": result}
    _check(runs, x)
    if ax is None:
        _, ax = require("matplotlib.pyplot", "plot").subplots(figsize=(7.2, 4.4), layout="constrained")
    else:
        require("matplotlib", "plot")
    for index, (label, run) in enumerate(runs.items()):
        _draw(ax, run, label, x, index)
    if isinstance(result, Mapping) and any("validation_loss" in run.history for run in runs.values()):
        ax.plot([], [], "o", color="0.4", lw=1.8, ls=DASHES, label="validation, best epoch")
    _decorate(ax, runs, x, log)
    return ax


def _check(runs: Mapping[str, Any], x: str) -> None:
    if not runs:
        raise ValueError("result: expected at least one run, got an empty mapping")
    if x not in ("epoch", "seconds"):
        raise ValueError(f"x: expected 'epoch' or 'seconds', got {x!r}")
    for run in runs.values():
        if not hasattr(run, "history"):
            raise TypeError(f"result: expected something with a history, got {type(run).__name__}")
        for column in (x, "loss"):
            if column not in run.history:
                raise ValueError(f"history: expected '{column}' in it, got {sorted(run.history)}")


def _draw(ax: Axes, run: Any, label: str, x: str, index: int) -> None:
    history = run.history
    colour = f"C{index}"
    marker = "o" if len(history[x]) == 1 else None
    ax.plot(history[x], _finite(history["loss"]), color=colour, marker=marker, lw=2, label=label or "training")
    validation = history.get("validation_loss")
    if validation is None:
        return
    held_out_colour = colour if label else "C1"
    held_out_label = None if label else "validation"
    ax.plot(history[x], _finite(validation), color=held_out_colour, lw=1.8, ls=DASHES, label=held_out_label)
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


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, np.nan)


def _spans_decades(runs: Mapping[str, Any]) -> bool:
    columns = [run.history.get(name, []) for run in runs.values() for name in ("loss", "validation_loss")]
    values = np.concatenate([np.asarray(column, dtype=float) for column in columns])
    values = values[np.isfinite(values)]
    return bool(values.size and values.min() > 0 and values.max() > LOG_RANGE * values.min())


def _decorate(ax: Axes, runs: Mapping[str, Any], x: str, log: bool | None) -> None:
    ticker = require("matplotlib.ticker", "plot")
    if _spans_decades(runs) if log is None else log:
        ax.set_yscale("log")
    if x == "epoch":
        ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel("epoch" if x == "epoch" else "time (s)")
    ax.set_ylabel("loss")
    ax.margins(x=0.02)
    ax.grid(True, which="major", color="0.9", lw=0.8)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    if len(ax.get_legend_handles_labels()[0]) > 1:
        ax.legend(frameon=False)

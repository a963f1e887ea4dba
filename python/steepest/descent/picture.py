"""A run as HTML for notebooks: what came out of it, and its loss curve as an inline SVG, made without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

__all__ = ["curve_svg", "rows_html"]

_WIDTH, _HEIGHT = 360, 150  # of the curve, in pixels
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 10, 30  # margins
_MOST_POINTS = 400
_LOG_RANGE = 30.0  # losses that span more than this factor get a log axis
_COLOURS = {"loss": "#2a78d6", "validation_loss": "#d9682a"}
_NAMES = {"loss": "training", "validation_loss": "validation"}


def rows_html(rows: Mapping[str, str]) -> str:
    """Return a table of names and values."""
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows.items()
    )
    return f"<table>{cells}</table>"


def curve_svg(history: Mapping[str, Any]) -> str:
    """Return the losses of a history over its epochs as an SVG; "" if fewer than two losses are finite."""
    lines = {name: _points(history, name) for name in _NAMES if name in history}
    lines = {name: points for name, points in lines.items() if len(points[0]) > 1}
    if not lines:
        return ""
    epochs = np.concatenate([points[0] for points in lines.values()])
    losses = np.concatenate([points[1] for points in lines.values()])
    log = bool(losses.min() > 0 and losses.max() > _LOG_RANGE * losses.min())
    x = _Axis(float(epochs.min()), float(epochs.max()), _LEFT, _WIDTH - _RIGHT)
    y = _Axis(float(losses.min()), float(losses.max()), _HEIGHT - _BOTTOM, _TOP, log)
    drawn = "".join(_line(name, x, y, points) for name, points in lines.items())
    title = f"Loss from {losses_text(lines)}, over {int(epochs.max())} epochs" + (", on a log axis" if log else "")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="11" fill="currentColor">'
        f"<title>{escape(title)}</title>{_frame(x, y)}{drawn}{_legend(lines)}</svg>"
    )


def losses_text(lines: Mapping[str, tuple[Any, Any]]) -> str:
    """Return the first and the last loss of the first line, in words."""
    losses = next(iter(lines.values()))[1]
    return f"{losses[0]:.4g} to {losses[-1]:.4g}"


class _Axis:
    """Maps values to pixels."""

    def __init__(self, low: float, high: float, first: float, last: float, log: bool = False) -> None:
        self.low, self.high, self._log = low, high, log
        self._first, self._last = first, last

    def place(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = (math.log(self.low), math.log(self.high)) if self._log else (self.low, self.high)
        share = ((math.log(value) if self._log else value) - low) / (high - low) if high > low else 0.5
        return self._first + share * (self._last - self._first)


def _points(history: Mapping[str, Any], name: str) -> tuple[Any, Any]:
    epochs, losses = np.asarray(history["epoch"], float), np.asarray(history[name], float)
    finite = np.isfinite(losses)
    epochs, losses = epochs[finite], losses[finite]
    if len(epochs) > _MOST_POINTS:
        kept = np.unique(np.linspace(0, len(epochs) - 1, _MOST_POINTS).astype(np.intp))
        epochs, losses = epochs[kept], losses[kept]
    return epochs, losses


def _line(name: str, x: _Axis, y: _Axis, points: tuple[Any, Any]) -> str:
    path = " ".join(f"{x.place(a):.1f},{y.place(b):.1f}" for a, b in zip(*points, strict=True))
    dashes = ' stroke-dasharray="5 3"' if name != "loss" else ""
    return f'<polyline points="{path}" fill="none" stroke="{_COLOURS[name]}" stroke-width="2"{dashes}/>'


def _frame(x: _Axis, y: _Axis) -> str:
    left, bottom = _LEFT, _HEIGHT - _BOTTOM
    axes = f'<path d="M{left},{_TOP} V{bottom} H{_WIDTH - _RIGHT}" fill="none" stroke="currentColor" opacity="0.5"/>'
    ends = "".join(
        f'<text x="{left - 5}" y="{y.place(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        for value in dict.fromkeys((y.low, y.high))
    )
    ends += "".join(
        f'<text x="{x.place(value):.1f}" y="{bottom + 14}" text-anchor="{anchor}">{value:g}</text>'
        for value, anchor in ((x.low, "start"), (x.high, "end"))
    )
    middle = (left + _WIDTH - _RIGHT) / 2
    return f'{axes}{ends}<text x="{middle:g}" y="{_HEIGHT - 4}" text-anchor="middle">epoch</text>'


def _legend(lines: Sequence[str] | Mapping[str, Any]) -> str:
    if len(lines) < 2:
        return ""
    return "".join(
        f'<text x="{_WIDTH - _RIGHT}" y="{_TOP + 10 + 14 * row}" text-anchor="end" fill="{_COLOURS[name]}">'
        f"{_NAMES[name]}</text>"
        for row, name in enumerate(lines)
    )

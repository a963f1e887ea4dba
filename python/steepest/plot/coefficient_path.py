"""`path`: the coefficients along a path of regularisation, over the strengths of the penalty."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..arrays.checks import check_count, check_number, describe
from ..extras import require
from .runs import Array
from .style import COLOURS, DASHES, INK, axes_for, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COUNTS = 7  # numbers of non-zeros on the upper axis, at most
_MEMBERS = ("alphas", "coefs", "n_nonzero")


def path(
    path: Any,
    *,
    names: Sequence[str] | None = None,
    score: int | None = None,
    n_labels: int = 6,
    alpha: float | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the coefficients along a path over the strengths of the penalty, the strongest at the left.

    The upper axis tells how many coefficients are not 0. The largest coefficients at the last alpha have colours and
    names, and the others are grey.

    Parameters
    ----------
    path : Path
        What `st.path` returned. Any object counts that has `alphas`, `coefs` and `n_nonzero`.
    names : sequence of str, optional
        The names of the columns. By default they are those of the path, or else "x0", "x1", and so on.
    score : int, optional
        The score to draw, if the path has several, as that of a `Softmax`. By default the Euclidean norm of each
        column's coefficients is drawn.
    n_labels : int
        The number of coefficients with a name, from 0 to 7.
    alpha : float, optional
        A strength to mark by a dashed line, such as the one that cross-validation chose.
    ax : matplotlib.axes.Axes, optional
        The axes to draw in. By default a new figure is made.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    MissingExtraError
        matplotlib or SciPy is not installed.
    TypeError
        `path` is no path.
    ValueError
        The names are not one for each column, there is no such score, or `n_labels` or `alpha` is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 3))
    >>> path = st.path(st.LeastSquares(X, 3 * X[:, 1] - X[:, 2]))
    >>> ax = st.plot.path(path, names=["age", "size", "price"], n_labels=2)
    >>> ax.get_legend_handles_labels()[1]
    ['size', 'price']
    """
    table = _table(path, score)
    called = _names(getattr(path, "names", None) if names is None else names, table.shape[1])
    count = check_count("n_labels", n_labels, 0, len(COLOURS))
    alphas = np.asarray(path.alphas, dtype=float)
    marked = None if alpha is None else check_number("alpha", alpha, above=0.0)
    own, ax = ax is None, axes_for(ax)
    _draw(ax, alphas, table, called, count)
    if marked is not None:
        ax.axvline(marked, color=INK, lw=1.2, ls=DASHES, zorder=1.5)
    _decorate(ax, alphas, np.asarray(path.n_nonzero), "coefficient" if score is not None or _is_one(path) else "norm")
    if ax.get_legend_handles_labels()[0]:
        place = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.0), "borderaxespad": 0.0} if own else {"loc": "best"}
        ax.legend(framealpha=0.9, edgecolor="none", **place)
    return ax


def _is_one(path: Any) -> bool:
    return not isinstance(path.coefs, list | tuple)


def _table(path: Any, score: int | None) -> Array:
    """Return the numbers to draw, of shape (n_alphas, n_features)."""
    if not all(hasattr(path, name) for name in _MEMBERS):
        raise TypeError(f"path must be what st.path returns, got {describe(path)}")
    if _is_one(path):
        if score is not None:
            raise ValueError(f"score must be None for a path of one score, got {score!r}")
        return _dense(path.coefs)
    scores = [_dense(each) for each in path.coefs]
    if score is not None:
        return scores[check_count("score", score, 0, len(scores) - 1)]
    return np.asarray(np.sqrt(sum(each**2 for each in scores)))


def _dense(coefs: Any) -> Array:
    return np.asarray(coefs.toarray() if hasattr(coefs, "toarray") else coefs, dtype=float)


def _names(names: Any, n: int) -> list[str]:
    if names is None:
        return [f"x{column}" for column in range(n)]
    called = [str(name) for name in names]
    if len(called) != n:
        raise ValueError(f"names must be one for each of the {n} columns, got {len(called)}")
    return called


def _draw(ax: Any, alphas: Array, table: Array, names: list[str], count: int) -> None:
    marker = "o" if len(alphas) == 1 else None
    order = np.argsort(-np.abs(table[-1]), kind="stable")
    named = [column for column in order[:count] if table[:, column].any()]
    for column in order[::-1]:
        if column not in named and table[:, column].any():
            ax.plot(alphas, table[:, column], color="0.75", lw=1.0, marker=marker, zorder=1.8)
    for column, colour in zip(named, COLOURS, strict=False):
        ax.plot(alphas, table[:, column], color=colour, lw=2.0, marker=marker, label=names[column])
    ax.axhline(0.0, color="0.6", lw=0.8, zorder=1.6)


def _decorate(ax: Any, alphas: Array, n_nonzero: Array, label: str) -> None:
    ax.set_xscale("log")
    if len(alphas) > 1:
        ax.set_xlim(alphas.max(), alphas.min())
    else:
        ax.invert_xaxis()
    ax.set_xlabel("alpha")
    ax.set_ylabel(label)
    tidy(ax)
    upper = ax.secondary_xaxis("top")
    shown = np.unique(np.linspace(0, len(alphas) - 1, min(_COUNTS, len(alphas))).round().astype(int))
    ticker = require("matplotlib.ticker", "plot")
    upper.xaxis.set_major_locator(ticker.FixedLocator(alphas[shown]))
    upper.xaxis.set_major_formatter(ticker.FixedFormatter([str(int(n)) for n in n_nonzero[shown]]))
    upper.xaxis.set_minor_locator(ticker.NullLocator())
    upper.tick_params(length=0)
    upper.spines[["top"]].set_visible(False)
    upper.set_xlabel("coefficients that are not 0")

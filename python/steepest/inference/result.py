"""`Summary`: what `summary` returns, as arrays, text, HTML and a data frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require

__all__ = ["Summary"]

Array = NDArray[np.float64]
_MOST_ROWS = 200  # of a table in text or HTML


@dataclass(frozen=True, eq=False)
class Summary:
    """Coefficients with their standard errors, tests and intervals, and how well the model fits.

    `summary` makes it. Printing it shows a table, and so do notebooks. For a classifier of more than two classes, the
    arrays have one row for each class but the first, and the coefficients are differences to those of the first class.

    Attributes
    ----------
    names : list of str, of length p
        The names of the coefficients; the last one is "(intercept)" if the model has an intercept.
    coef : array of shape (p,) or (n_classes - 1, p), float64
        The coefficients, in the units of the columns.
    standard_errors, statistic, p_values : arrays of the shape of coef
        The standard errors, coef / standard_errors, and the two-sided p-values of coefficients of 0.
    intervals : array of shape (p, 2) or (n_classes - 1, p, 2)
        The lower and upper ends of the confidence intervals.
    covariance : array of shape (coef.size, coef.size)
        The covariance of the coefficients, in the order of ``coef.ravel()``.
    statistic_name : {"t", "z"}
        The distribution of the statistic: Student's t with ``degrees_of_freedom``, or normal.
    covariance_type : {"classical", "HC0", "HC1"}
        How the covariance was estimated.
    level : float
        The level of the intervals.
    loss : str
        The name of the loss.
    classes : array of shape (n_classes,), or None
        The classes of a classifier.
    n_samples : float
        The number of rows: the sum of their weights.
    n_parameters : float
        The number of parameters. With an L2 penalty, the effective number, which is smaller.
    degrees_of_freedom : float
        n_samples - n_parameters.
    dispersion : float
        The variance of the errors for least squares. 1 for classes and counts. NaN for Huber's loss.
    log_likelihood, aic, bic : float
        The log-likelihood of the targets, and the information criteria that follow from it. NaN if there is none.
    deviance, null_deviance, deviance_explained : float
        The deviance of the model and of an intercept alone, and 1 - deviance / null_deviance. For least squares they
        are sums of squares, and the last one is R^2. NaN if there is none.
    notes : tuple of str
        What to keep in mind when reading the table.

    Examples
    --------
    >>> import numpy as np
    >>> import steepest as st
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([1.0, 3.0, 4.0, 7.0])
    >>> print(st.summary(st.LinearRegressor().fit(X, y), X, y))
    loss                LeastSquares
    covariance          classical
    rows                4
    parameters          2
    degrees of freedom  2
    dispersion          0.35
    log-likelihood      -2.18982
    deviance            0.7
    null deviance       18.75
    deviance explained  0.962667
    AIC                 8.37963
    BIC                 7.15222
    <BLANKLINE>
                 coefficient  std. error           t     p-value        2.5%       97.5%
    x0                   1.9     0.26458       7.181      0.0188    0.761625     3.03837
    (intercept)          0.9     0.49497       1.818       0.211     -1.2297      3.0297
    """

    names: list[str]
    coef: Array
    standard_errors: Array
    statistic: Array
    p_values: Array
    intervals: Array
    covariance: Array
    statistic_name: str
    covariance_type: str
    level: float
    loss: str
    classes: Any
    n_samples: float
    n_parameters: float
    degrees_of_freedom: float
    dispersion: float
    log_likelihood: float
    deviance: float
    null_deviance: float
    aic: float
    bic: float
    notes: tuple[str, ...]

    @property
    def deviance_explained(self) -> float:
        return 1.0 - self.deviance / self.null_deviance if self.null_deviance > 0 else float("nan")

    @property
    def _compared(self) -> list[Any]:
        """The classes of the rows of the arrays, if there are several."""
        return list(self.classes[1:]) if self.coef.ndim == 2 else []

    def facts(self) -> dict[str, str]:
        """Return what the model is and how well it fits, as texts by name."""
        target = "" if self.classes is None or self._compared else f", of the class {self.classes[1]}"
        found = {
            "loss": f"{self.loss}{target}",
            "covariance": self.covariance_type,
            "rows": _number(self.n_samples),
            "parameters": _number(self.n_parameters),
            "degrees of freedom": _number(self.degrees_of_freedom),
        }
        numbers = {
            "dispersion": self.dispersion,
            "log-likelihood": self.log_likelihood,
            "deviance": self.deviance,
            "null deviance": self.null_deviance,
            "deviance explained": self.deviance_explained,
            "AIC": self.aic,
            "BIC": self.bic,
        }
        return found | {name: _number(value) for name, value in numbers.items() if not np.isnan(value)}

    @property
    def _heads(self) -> list[str]:
        ends = [f"{half:g}%" for half in (50 * (1 - self.level), 50 * (1 + self.level))]
        return ["coefficient", "std. error", self.statistic_name, "p-value", *ends]

    def _tables(self) -> Iterator[tuple[str, list[tuple[str, list[str]]]]]:
        """Yield the heading of each table, and its rows: names with texts of numbers."""
        columns = [self.coef, self.standard_errors, self.statistic, self.p_values]
        table = np.stack([*columns, self.intervals[..., 0], self.intervals[..., 1]], axis=-1)
        if table.ndim == 2:
            table = table[None]
        for place, part in enumerate(table):
            heading = f"class {self._compared[place]}, compared with {self.classes[0]}" if self._compared else ""
            rows = [(name, _cells(row)) for name, row in zip(self.names, part[:_MOST_ROWS], strict=False)]
            yield heading, rows

    @property
    def _rest(self) -> str:
        more = len(self.names) - _MOST_ROWS
        return f"... and {more:,} more, which to_frame() has" if more > 0 else ""

    def __str__(self) -> str:
        facts = self.facts()
        wide = max(map(len, facts))
        lines = [f"{name:{wide}}  {value}" for name, value in facts.items()]
        width = max(map(len, self.names[:_MOST_ROWS]))
        for heading, rows in self._tables():
            cells = [
                max(12, *(len(row[at]) + 2 for _, row in rows), len(head) + 2) for at, head in enumerate(self._heads)
            ]
            heads = "".join(f"{head:>{cell}}" for head, cell in zip(self._heads, cells, strict=True))
            lines += ["", *[heading] * bool(heading), f"{'':{width}}{heads}"]
            lines += [
                f"{name:{width}}" + "".join(f"{text:>{cell}}" for text, cell in zip(row, cells, strict=True))
                for name, row in rows
            ]
            lines += [self._rest] * bool(self._rest)
        return "\n".join([*lines, *[""] * bool(self.notes), *(f"Note: {note}" for note in self.notes)])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        facts = "".join(_row_html(name, [value]) for name, value in self.facts().items())
        parts = [f"<table>{facts}</table>"]
        heads = "".join(f"<th>{escape(head)}</th>" for head in self._heads)
        for heading, rows in self._tables():
            body = "".join(_row_html(name, row) for name, row in rows)
            caption = f"<caption>{escape(heading)}</caption>" * bool(heading)
            parts.append(f"<table>{caption}<tr><th></th>{heads}</tr>{body}</table>")
            parts += [f"<p>{escape(self._rest)}</p>"] * bool(self._rest)
        return "<div>" + "".join([*parts, *(f"<p>{escape(note)}</p>" for note in self.notes)]) + "</div>"

    def to_frame(self) -> Any:
        """Return the table as a pandas.DataFrame, with a row for each coefficient.

        Returns
        -------
        pandas.DataFrame
            The columns are coefficient, standard_error, statistic, p_value, lower and upper. The index has the names;
            for more than two classes, the classes and the names.

        Raises
        ------
        MissingExtraError
            pandas is not installed.
        """
        pandas = require("pandas", "pandas")
        columns = {
            "coefficient": self.coef,
            "standard_error": self.standard_errors,
            "statistic": self.statistic,
            "p_value": self.p_values,
            "lower": self.intervals[..., 0],
            "upper": self.intervals[..., 1],
        }
        index = pandas.Index(self.names, name="name")
        if self._compared:
            index = pandas.MultiIndex.from_product([self._compared, self.names], names=["class", "name"])
        return pandas.DataFrame({name: column.ravel() for name, column in columns.items()}, index=index)


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) < 1e15 else f"{value:.6g}"


def _cells(row: Array) -> list[str]:
    coef, error, statistic, p_value, lower, upper = row
    return [f"{coef:.6g}", f"{error:.5g}", f"{statistic:.4g}", f"{p_value:.3g}", f"{lower:.6g}", f"{upper:.6g}"]


def _row_html(name: str, cells: list[str]) -> str:
    found = "".join(f'<td style="text-align:right">{escape(cell)}</td>' for cell in cells)
    return f'<tr><th style="text-align:left">{escape(name)}</th>{found}</tr>'

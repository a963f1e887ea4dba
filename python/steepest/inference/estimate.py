"""`Estimate`: the steps from a fitted model and its rows to a `Summary`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.groups import product_of_csr
from ..arrays.sparse import CSRView
from ..estimators.fitted import FittedModel
from ..extras import require
from ..objectives.columns import Columns
from .coordinates import Coordinates
from .curvature import Curvature
from .information import Information
from .likelihood import Likelihood
from .refusals import INTERCEPT, check_columns, check_determined, check_minimum, check_units
from .result import Summary

__all__ = ["Estimate"]

Array = NDArray[np.float64]
Block = tuple[Any, Array, Array | None, Array | None]
_ELEMENTS = 1 << 22  # of a block of rows that is widened


class Estimate:
    """The steps of `summary`, which share what they find.

    Parameters
    ----------
    given : FittedModel
    kind : {"classical", "HC0", "HC1"}
    sampled : bool
        Whether weights are no copies.
    """

    def __init__(self, given: FittedModel, kind: str, sampled: bool) -> None:
        self.given, self.kind = given, kind
        rows, settings, parameters = given.rows, given.settings, given.parameters
        self.columns = Columns.of(rows.X, rows.sample_weight)
        k = len(parameters.coefficients)
        mean, deviation = self.columns.mean, self.columns.deviation
        self.where = Coordinates.of(k, mean, deviation, settings.fit_intercept)
        check_columns(given, self.where)
        largest = float(np.abs(rows.y.astype(np.float64)).max())
        intercepts = parameters.intercepts if settings.fit_intercept else None
        self.sums = Curvature(
            given.loss, given.options, parameters.coefficients, intercepts, self.where, largest if largest > 0 else 1.0
        )
        counted = np.ones(len(rows)) if rows.sample_weight is None else rows.sample_weight.astype(np.float64)
        self.n = float(len(rows)) if sampled else float(counted.sum())
        # Of the outer products of gradients: copies count once each, all other factors are squared.
        factors = np.ones(len(rows)) if given.factors is None else given.factors
        self.repeats = (counted**2 if sampled else counted) * factors**2
        self.needs_slopes = kind != "classical" or given.loss.may_be_flat
        self.slope_squares = 0.0
        strength = given.alpha * (1.0 - settings.l1_ratio) * rows.total()
        units = deviation**2 if settings.standardize else np.ones_like(mean)
        own = 1.0 if given.penalty_weight is None else given.penalty_weight
        self.penalty = strength * own * units / self.where.scale**2

    def _blocks(self) -> Iterator[Block]:
        """Yield the rows, their targets, weights and offsets in float64. X of float64 is one block, not copied."""
        rows, offset = self.given.rows, self.given.offset
        X, n = rows.X, len(rows)
        step = n if X.dtype == np.float64 else max(1, _ELEMENTS // X.shape[1])
        for start in range(0, n, step):
            some = slice(start, min(start + step, n))
            part = X if step >= n else X.take(np.arange(n)[some]) if isinstance(X, CSRView) else X[some]
            weight = None if rows.loss_weight is None else rows.loss_weight[some].astype(np.float64)
            yield (
                part.astype(np.float64, copy=False),
                rows.y[some].astype(np.float64),
                weight,
                None if offset is None else np.ascontiguousarray(offset[some]),
            )

    def _add_up(self) -> None:
        start = 0
        for X, y, weight, offset in self._blocks():
            self.sums.add(X, y, weight, offset)
            if self.needs_slopes:
                slopes = self.sums.row_slopes(self._scores(X, offset), y)
                repeats = self.repeats[start : start + len(y)]
                self.sums.add_squares(X, slopes, repeats)
                self.slope_squares += float(repeats @ (slopes**2).sum(axis=1))
            start += len(y)

    def _scores(self, X: Any, offset: Array | None) -> Array:
        parameters = self.given.parameters
        table = np.ascontiguousarray(parameters.coefficients.T)
        found = product_of_csr(X, table) if isinstance(X, CSRView) else np.asarray(X @ table)
        found = found + parameters.intercepts
        return found if offset is None else found + offset.reshape(len(found), -1)

    def summary(self, level: float) -> Summary:
        """Return the summary, or raise an error that says why there is none."""
        self._add_up()
        given, sums = self.given, self.sums
        overflown = Information.of(sums, self.where, self.penalty)
        found = check_determined(given, self.where, overflown, self._blocks())
        check_units(given, self.where, found)
        p = found.degrees_of_freedom
        left, is_square = self.n - p, given.loss.constant_curvature
        if left <= 0.0 and (is_square or self.kind == "HC1"):
            raise ValueError(f"X must have more rows than parameters, got {self.n:g} rows for {p:g} parameters")
        dispersion, scale = 1.0, 1.0
        if is_square:  # the objective is the mean square, without the factor 1/2 of the likelihood
            dispersion = sums.value / sums.weight * self.n / left
            scale = 2.0 * dispersion
        elif given.loss.may_be_flat:
            scale = self.slope_squares / float(np.diag(found.smooth).max())
        if self.kind == "classical":
            matrix = found.covariance() * scale
        else:
            matrix = found.covariance(sums.squares) * (self.n / left if self.kind == "HC1" else 1.0)
        check_minimum(given, found, self.columns, scale, np.sqrt(np.diag(matrix)), sums.unit)
        likelihood = Likelihood.of(given, sums.value, sums.unit)
        return self._table(matrix * sums.unit**2, dispersion * sums.unit**2, likelihood, p, level)

    def _table(self, matrix: Array, dispersion: float, likelihood: Likelihood, p: float, level: float) -> Summary:
        given, k = self.given, self.where.n_scores
        table = given.parameters.coefficients
        names = list(given.names)
        if self.where.intercept:
            table, names = np.column_stack([table, given.parameters.intercepts]), [*names, INTERCEPT]
        if k > 1:  # differences to the first class
            parts = matrix.reshape(k, table.shape[1], k, table.shape[1])
            parts = parts[1:, :, 1:] - parts[:1, :, 1:] - parts[1:, :, :1] + parts[:1, :, :1]
            matrix, table = parts.reshape((table.size - table.shape[1],) * 2), table[1:] - table[0]
        coef = table if k > 1 else table[0]
        errors = np.sqrt(np.diag(matrix)).reshape(coef.shape)
        left, is_square = self.n - p, given.loss.constant_curvature
        statistic, p_values, width = _tests(coef, errors, left if is_square else math.inf, level)
        weighted = given.factors is not None
        log_likelihood = math.nan if weighted else likelihood.log_likelihood
        return Summary(
            names=names,
            coef=coef,
            standard_errors=errors,
            statistic=statistic,
            p_values=p_values,
            intervals=np.stack([coef - width * errors, coef + width * errors], axis=-1),
            covariance=matrix,
            statistic_name="t" if is_square else "z",
            covariance_type=self.kind,
            level=level,
            loss=given.loss.__name__,
            classes=given.classes,
            n_samples=self.n,
            n_parameters=p,
            degrees_of_freedom=left,
            dispersion=math.nan if given.loss.may_be_flat else dispersion,
            log_likelihood=log_likelihood,
            deviance=likelihood.deviance,
            null_deviance=likelihood.null_deviance,
            aic=2.0 * p - 2.0 * log_likelihood,
            bic=math.log(self.n) * p - 2.0 * log_likelihood,
            notes=tuple(self._notes(dispersion)),
        )

    def _notes(self, dispersion: float) -> Iterator[str]:
        given = self.given
        if self.penalty.any():
            yield (
                f"the L2 penalty (alpha = {given.alpha:.6g}) shrinks the coefficients. The errors are those of the "
                "penalised loss, and the number of parameters is the effective one; tests and intervals are about the "
                "shrunken coefficients."
            )
        if given.factors is not None:
            yield "class_weight changes what is estimated: the deviances are weighted, and there is no likelihood."
        if dispersion == 0.0:
            yield "the model fits all rows exactly: there is no variance to tell errors from."
        if given.loss.may_be_flat:
            yield f"{given.loss.__name__} is no likelihood: the errors are those of an M-estimate."


def _tests(coef: Array, errors: Array, degrees: float, level: float) -> tuple[Array, Array, float]:
    """Return the statistics, their two-sided p-values, and the half-width of an interval in standard errors."""
    special = require("scipy.special", "sklearn")
    statistic, upper = coef / errors, 0.5 + level / 2.0
    if math.isinf(degrees):
        return statistic, 2.0 * special.ndtr(-np.abs(statistic)), float(special.ndtri(upper))
    return statistic, 2.0 * special.stdtr(degrees, -np.abs(statistic)), float(special.stdtrit(degrees, upper))

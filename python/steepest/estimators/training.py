"""`Training`: one fit. It scales the columns, binds the loss to X in place, and minimises it."""

from __future__ import annotations

import dataclasses
import math
import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays.norm import norm_of
from ..arrays.sparse import CSRView
from ..arrays.table import Table
from ..constraints.sets import Box
from ..descent.diagnosis import Diagnosis
from ..descent.minimize import minimize
from ..descent.result import Result
from ..descent.stopping import NoImprovement, StopRule
from ..descent.supervision import quiet
from ..extras import require
from ..objectives.columns import Columns, may_be_far_from_zero
from ..objectives.data import DataObjective
from ..objectives.penalty_weight import factors_of
from ..objectives.protocol import Capability
from ..objectives.rounding import roundings_of_gradient
from ..optimizers.runner import StopReason
from ..quasi_newton.little_data import is_little
from ..quasi_newton.optimizer import QuasiNewton
from ..quasi_newton.scaled import ScaledNorm, is_judged_scaled
from ..warnings import levels_outside
from .choice import RelativeGradientNorm, RelativeScaledNorm, chooses_rate, optimizer_for, tolerance
from .online import Online
from .rows import Parameters, Rows
from .scaling import Scaling, centring, standardising
from .settings import FitSettings, Saved
from .units import Units

__all__ = ["Parameters", "Rows", "Training"]

Array = NDArray[Any]
_OF_L1 = 1e-3  # largest subgradient at the end of a fit, as a fraction of the L1 penalty's strength
_ROUNDED = 1e-5  # share of the largest slope up to which its rounding loosens the tolerance
_BESIDE = 1e3  # times the rounding of the coefficients' derivatives: that of the intercept's counts up to there
_NOTICEABLE = 1e-6  # a loss is above another one if it exceeds it by this fraction


@dataclass
class Training:
    """The settings and the loss of an estimator, which all its fits share.

    Attributes
    ----------
    settings : FitSettings
        The parameters of the estimator.
    loss : subclass of DataObjective
        The class of the loss.
    n_outputs : int
        Number of scores per row, k.
    options : dict
        Further arguments of the loss.
    """

    settings: FitSettings
    loss: type[DataObjective]
    n_outputs: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    def fit(
        self, rows: Rows, held_out: Rows | None, start: Parameters | None, seed: int | None, saved: Saved
    ) -> tuple[Result, Parameters, Online]:
        """Run whole epochs until a stopping rule or ``max_iter`` ends the fit."""
        settings = self.settings
        n_rows = len(rows)
        batch_size = None if settings.batch_size is None else min(settings.batch_size, n_rows)
        optimizer = optimizer_for(settings, settings.max_iter * (-(-n_rows // batch_size) if batch_size else 1))
        whole, alpha = isinstance(optimizer, QuasiNewton), self.alpha(rows.total())
        free = whole or chooses_rate(settings)
        rescales = free and (alpha == 0.0 or settings.standardize)
        units = self._units(
            rows,
            rescales=rescales,
            exact=free,
            centres=self.centres,
            has_target_units=free and self.has_target_units,
            keeps=whole,
            solves=whole and held_out is None and self._is_solved(rows, alpha),
        )
        online = Online(targets=units.targets(rows.total()), weight=rows.total())
        given, rows = rows, units.rows(rows)
        scaling = self._scaling(rows, units, online, whole, rescales)
        if isinstance(rows.X, CSRView) and scaling is not None and scaling.loses_digits(units.dtype):
            units = dataclasses.replace(units, dtype=np.dtype(np.float64))
            rows = units.rows(given)
        objective = self.bind(rows, scaling, alpha, units)
        far = settings.fit_intercept and self.has_target_units and not self.centres  # targets may be
        objective.is_conditioned = whole and not far and not isinstance(rows.X, Table)  # by units and scaling
        tol = tolerance(settings, optimizer, units.dtype)
        stop: list[StopRule] = [] if tol is None else [self._gradient_norm(tol, objective, start, whole)]
        if settings.early_stopping:
            stop.append(NoImprovement(settings.n_iter_no_change))
        result = self._minimize(
            units,
            objective,
            self.start(start, units, scaling, objective),
            optimizer,
            batch_size=batch_size,
            max_epochs=settings.max_iter,
            stop=stop,
            validation=None if held_out is None else self.bind(units.rows(held_out), scaling, 0.0, units),
            shuffle=settings.shuffle,
            random_state=seed,
            constraint=Box(0.0, math.inf) if settings.positive else None,
            **saved._asdict(),
        )
        self.warn(result, tol is not None, None if whole else units.squared(self._null_loss(rows, units)))
        return result, self.parameters(result.w, units, scaling), online

    def _is_solved(self, rows: Rows, alpha: float) -> bool:
        """Return whether `QuasiNewton` solves the problem by QR."""
        settings = self.settings
        if not self.loss.constant_curvature or not isinstance(rows.X, np.ndarray) or alpha * settings.l1_ratio > 0.0:
            return False
        if settings.positive or settings.penalty_weight is not None:
            return False
        return is_little(len(rows), rows.X.shape[1] + settings.fit_intercept)

    def _units(self, rows: Rows, **options: bool) -> Units:
        return Units.of_fit(rows, **options)

    def _scaling(self, rows: Rows, units: Units, online: Online, whole: bool, rescales: bool) -> Scaling | None:
        """Return the scaling of the columns, if there is one. Its statistics are kept for further rows."""
        settings = self.settings
        if settings.standardize:
            found = Columns.of(rows.X, rows.sample_weight)
            online.columns = units.statistics(found)
            return standardising(found, settings.fit_intercept)
        if settings.fit_intercept and whole and not isinstance(rows.X, Table) and may_be_far_from_zero(rows.X):
            found = Columns.of(rows.X, rows.sample_weight)
            return centring(found, rescales) if found.are_far_from_zero() else None
        return None

    @property
    def has_target_units(self) -> bool:
        return self.loss.is_of_residuals

    @property
    def centres(self) -> bool:
        """Whether the mean is taken from the targets: one target far off may move it where the others lose digits."""
        return self.settings.fit_intercept and self.loss.is_of_residuals and not self.loss.may_be_flat

    def _null_loss(self, rows: Rows, units: Units) -> float:
        """Return the loss of the best model without coefficients, in the units of the fit.

        It is the best intercept, or zeros if the model has no intercept.
        """
        weight = None if rows.loss_weight is None else rows.loss_weight.astype(np.float64)
        nothing, y = np.zeros((len(rows.y), 1)), rows.y.astype(np.float64)
        offset = None if rows.offset is None else rows.offset.astype(np.float64)
        options = self.options_in(units, np.dtype(np.float64))
        model = self.loss(nothing, y, sample_weight=weight, offset=offset, **options)
        return model.value(model.constant_model() if self.settings.fit_intercept else np.zeros(model.n_parameters))

    def _minimize(self, units: Units, *arguments: Any, **options: Any) -> Result:
        callbacks = [units.callback(each) for each in self.settings.callbacks]
        with self.settings.in_threads(), quiet():
            result = minimize(*arguments, callbacks=callbacks, **options)
        units.restore(result)
        by_arithmetic = result.stop_reason == StopReason.PRECISION and not result.diagnosis.kind
        if by_arithmetic and self.settings.tol is None and not self.settings.early_stopping:
            return dataclasses.replace(result, converged=True, diagnosis=Diagnosis())  # nobody asked for a tolerance
        return result

    def alpha(self, total: float) -> float:
        return 1.0 / total if self.settings.alpha is None else self.settings.alpha

    def bind(self, rows: Rows, scaling: Scaling | None, alpha: float, units: Units) -> DataObjective:
        sparse = isinstance(rows.X, CSRView)
        if sparse and scaling is not None and scaling.loses_digits(rows.X.dtype):  # as they are read, then
            raw = self.bind(rows, None, alpha, units)
            if not raw.supports(Capability.STANDARDISED_BLOCKS):
                raise ValueError(scaling.told_far(rows.X.dtype))
        alpha, l1_ratio = units.penalty(alpha, self.settings.l1_ratio)
        objective = self.loss(
            rows.X,
            rows.y,
            sample_weight=rows.loss_weight,
            intercept=self.settings.fit_intercept,
            alpha=alpha,
            l1_ratio=l1_ratio,
            offset=rows.offset,
            penalty_weight=self.settings.penalty_weight,
            centre=None if scaling is None else scaling.centre,
            scale=None if scaling is None else scaling.scale,
            **self.options_in(units, units.dtype),
        )
        if alpha * l1_ratio == 0.0:  # an L1 norm alone suppresses the effect of rounded columns
            objective._given_dtype = units.given
        return objective

    def options_in(self, units: Units, dtype: np.dtype[Any]) -> dict[str, Any]:
        """Return the further arguments of the loss, in the units of the fit."""
        errors = {name: units.error(self.options[name], dtype) for name in self.loss.regressor_options or ()}
        return {**self.options, **errors}

    def _gradient_norm(
        self, tol: float, objective: DataObjective, start: Parameters | None, whole: bool
    ) -> RelativeGradientNorm:
        """Return the rule that compares the gradient with that at zeros and with its rounding error.

        The reference is the gradient at zeros, even if the run starts elsewhere. With bounds it is the whole gradient:
        all of it may be held back there. Where rows are sparse, `QuasiNewton` is judged by the scaled gradient.
        """
        least, most = _rounding(objective), math.inf
        if (l1 := objective.penalty.l1) > 0.0:
            factors = factors_of(objective)
            most = _OF_L1 * l1 * float(np.min(factors, where=factors > 0.0, initial=math.inf))
        positive = self.settings.positive
        judged = None if positive else objective  # bounds may forbid a fall that is looked for
        begins_there = start is None and not positive
        if whole and is_judged_scaled(objective):
            norm = ScaledNorm.in_coordinates_of_runs(objective)
            reference = None if begins_there else norm.at_zeros()
            rounding = norm.rounding(_ROUNDED)
            return RelativeScaledNorm(tol, reference, rounding, max(most, least), judged, norm.untried)
        if begins_there:
            return RelativeGradientNorm(tol, least=least, most=most, objective=judged)
        zeros = np.zeros(objective.n_parameters, objective.dtype)
        _, gradient = objective.value_and_gradient(zeros)
        return RelativeGradientNorm(tol, objective.gradient_norm(zeros, gradient), least, most, judged)

    def start(
        self, start: Parameters | None, units: Units, scaling: Scaling | None, objective: DataObjective
    ) -> Array | None:
        if start is None:
            return None
        start = units.to_fit(start)
        coefficients, intercepts = start.coefficients, start.intercepts
        if scaling is not None:
            coefficients, intercepts = scaling.to_scaled(coefficients, intercepts)
        if self.settings.positive:
            coefficients = np.maximum(coefficients, 0.0)
        if self.settings.penalty_weight is not None:
            coefficients = np.where(np.isinf(self.settings.penalty_weight), 0.0, coefficients)
        if self.settings.fit_intercept:
            coefficients = np.column_stack([coefficients, intercepts])
        return coefficients.astype(objective.dtype).ravel()

    def parameters(self, w: Array, units: Units, scaling: Scaling | None) -> Parameters:
        table = w.reshape(self.n_outputs, -1).astype(np.float64)
        intercept = self.settings.fit_intercept
        coefficients = table[:, :-1] if intercept else table
        intercepts = table[:, -1] if intercept else np.zeros(self.n_outputs)
        if self.n_outputs > 1:  # equal shifts of all scores of a row change no probability
            intercepts = intercepts - intercepts.mean()
            free = self.settings.alpha == 0 and not self.settings.positive and self.settings.penalty_weight is None
            coefficients = coefficients - coefficients.mean(axis=0) if free else coefficients
        if scaling is not None:
            coefficients, intercepts = scaling.to_original(coefficients, intercepts)
        return units.to_original(Parameters(coefficients, intercepts))

    def warn(
        self, result: Result, expected_to_converge: bool, null_loss: float | None = None, some_rows: bool = False
    ) -> None:
        """Issue scikit-learn's ConvergenceWarning, with the diagnosis of the run, if the fit did not succeed.

        `null_loss` is the loss of the intercept alone. `some_rows` says that the rows are a part of the data, which may
        be separable by chance.
        """
        if result.stop_reason == StopReason.DIVERGED:
            text = "The fit diverged; the last finite parameters are kept."
        elif result.stop_reason == StopReason.MAX_EPOCHS and expected_to_converge:
            text = f"The fit has not converged to tol within max_iter={self.settings.max_iter} passes over the data."
        elif result.diagnosis.kind == "separable" and (result.stop_reason == StopReason.SEPARABLE or not some_rows):
            text = "The fit found no minimum;"
        elif result.stop_reason == StopReason.ROUNDING:
            text = "The fit did not reach the minimum;"
        elif result.diagnosis.kind in ("exploding", "oscillating"):
            text = "The fit does not converge;"
        elif null_loss is not None and result.value > (1.0 + _NOTICEABLE) * null_loss:
            text = (
                f"The fit has learned nothing: it ends at a loss of {result.value:.6g}, above the {null_loss:.6g} of "
                "the intercept alone. Take more passes (max_iter), another learning rate or optimizer, or standardize."
            )
        else:
            return
        category = require("sklearn.exceptions", "sklearn").ConvergenceWarning
        detail = result.diagnosis if result.diagnosis.kind else ""  # without a kind it repeats the text
        warnings.warn(f"{text} {detail}".rstrip(), category, stacklevel=levels_outside())


def _rounding(objective: DataObjective) -> float:
    """Return about the rounding of the gradient's norm, of which a fit to columns of small numbers needs less.

    Their derivatives are small too. The rounding of the intercept's derivative may exceed them at zeros, and would end
    the fit there.
    """
    each, found = roundings_of_gradient(objective, _ROUNDED)
    of_columns = norm_of(each)
    return min(found, _BESIDE * of_columns) if of_columns > 0.0 else found

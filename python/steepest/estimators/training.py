"""One fit: rows held out, columns scaled, the objective bound to X where it lies, and the run that minimises it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..descent import minimize
from ..extras import require
from ..objectives import DataObjective
from ..quasi_newton import QuasiNewton
from ..result import Result
from ..stopping import NoImprovement, StopRule
from ..supervision import Supervision, supervised, supervision
from ..watch import levels_outside
from .choice import ONLINE_BATCH, GradientNorm, optimizer_for, tolerance
from .scaling import Columns, Scaling, may_be_far_from_zero
from .settings import Settings

__all__ = ["Online", "Parameters", "Rows", "Training"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Data for an objective, all of one dtype.

    Attributes
    ----------
    X : array of shape (n, n_features), C- or F-contiguous
    y : array of shape (n,)
    sample_weight : array of shape (n,) or None
        What the user gave, and 0 for rows that are held out.
    loss_weight : array of shape (n,) or None
        The same times the weights of the classes.
    """

    X: Array
    y: Array
    sample_weight: Array | None
    loss_weight: Array | None

    def total(self) -> float:
        """Return the sum of the weights of the losses."""
        return float(len(self.y)) if self.loss_weight is None else float(self.loss_weight.sum(dtype=np.float64))

    def hold_out(self, fraction: float, stratify: bool, random: Any) -> tuple[Rows, Rows]:
        """Return the rows to train on, which are all, with a weight of 0 for those held out, and copies of these.

        X is not copied for the rows to train on. Rows that had no weight are not among those held out.
        """
        weight = np.ones_like(self.y) if self.sample_weight is None else self.sample_weight
        candidates = np.flatnonzero(weight > 0)
        labels = self.y[candidates] if stratify else np.zeros(len(candidates))
        held = np.sort(candidates[_chosen(labels, fraction, random)])
        kept = np.ones_like(self.y)
        kept[held] = 0
        loss_weight = weight if self.loss_weight is None else self.loss_weight
        training = Rows(self.X, self.y, weight * kept, loss_weight * kept)
        return training, Rows(self.X[held], self.y[held], weight[held], loss_weight[held])


def _chosen(labels: Array, fraction: float, random: Any) -> NDArray[np.intp]:
    """Return the places of a fraction of each label, never all of them, and at least one place in all."""
    members = [random.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    members.sort(key=len, reverse=True)
    sizes = [min(round(fraction * len(each)), len(each) - 1) for each in members]
    sizes[0] = max(sizes[0], 1)
    if sizes[0] == len(members[0]):
        raise ValueError(f"early_stopping holds rows out: expected two of a class at least, got {len(labels)} row(s)")
    return np.concatenate([each[:size] for each, size in zip(members, sizes, strict=True)])


@dataclass(frozen=True)
class Parameters:
    """Coefficients of shape (k, n_features) and k intercepts in the original units, float64."""

    coefficients: NDArray[np.float64]
    intercepts: NDArray[np.float64]


@dataclass
class Online:
    """What partial_fit keeps from one call to the next."""

    optimizer: Any = None
    made_from: tuple[Any, Any] | None = None
    columns: Columns | None = None
    weight: float = 0.0


@dataclass
class Training:
    """What all fits of one estimator share.

    Attributes
    ----------
    settings : Settings
    loss : subclass of DataObjective
    n_outputs : int
        k: the scores of a row.
    options : dict
        Further arguments of the loss.
    """

    settings: Settings
    loss: type[DataObjective]
    n_outputs: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    def fit(
        self, rows: Rows, held_out: Rows | None, start: Parameters | None, seed: int
    ) -> tuple[Result, Parameters, Online]:
        """Minimise over whole epochs until a rule ends it."""
        settings = self.settings
        n_rows = len(rows.y)
        batch_size = None if settings.batch_size is None else min(settings.batch_size, n_rows)
        optimizer = optimizer_for(settings, settings.max_iter * (-(-n_rows // batch_size) if batch_size else 1))
        columns, scaling = None, None
        if settings.standardize:
            columns = Columns.of(rows.X, rows.sample_weight)
            scaling = columns.scaling(settings.fit_intercept)
        elif settings.fit_intercept and isinstance(optimizer, QuasiNewton) and may_be_far_from_zero(rows.X):
            found = Columns.of(rows.X, rows.sample_weight)
            scaling = found.centring() if found.are_far_from_zero() else None
        objective = self._bind(rows, scaling, self._alpha(rows.total()))
        tol = tolerance(settings, optimizer, objective.dtype)
        stop: list[StopRule] = [] if tol is None else [self._gradient_norm(tol, objective, start)]
        if settings.early_stopping:
            stop.append(NoImprovement(settings.n_iter_no_change))
        result = self._minimize(
            objective,
            self._w(start, scaling, objective),
            optimizer,
            batch_size=batch_size,
            max_epochs=settings.max_iter,
            stop=stop,
            validation=None if held_out is None else self._bind(held_out, scaling, 0.0),
            random_state=seed,
        )
        self._warn(result, expected_to_converge=tol is not None)
        return result, self._parameters(result.w, scaling), Online(columns=columns, weight=rows.total())

    def go_on(self, rows: Rows, online: Online, start: Parameters | None, seed: int) -> tuple[Result, Parameters]:
        """Take the steps of one epoch over some rows with the optimizer as the last call left it."""
        settings = self.settings
        scaling = None
        if settings.standardize:
            columns = Columns.of(rows.X, rows.sample_weight)
            online.columns = columns if online.columns is None else online.columns.with_more(columns)
            scaling = online.columns.scaling(settings.fit_intercept)
        online.weight += rows.total()
        objective = self._bind(rows, scaling, self._alpha(online.weight))
        result = self._minimize(
            objective,
            self._w(start, scaling, objective),
            online.optimizer,
            batch_size=min(settings.batch_size or ONLINE_BATCH, len(rows.y)),
            max_epochs=1,
            reset=False,
            random_state=seed,
        )
        self._warn(result, expected_to_converge=False)
        return result, self._parameters(result.w, scaling)

    def _minimize(self, *arguments: Any, **options: Any) -> Result:
        quiet = Supervision(warns=False, cancelled=supervision().cancelled)
        with self.settings.in_threads(), supervised(quiet):
            return minimize(*arguments, callbacks=self.settings.callbacks, **options)

    def _alpha(self, total: float) -> float:
        return 1.0 / total if self.settings.alpha is None else self.settings.alpha

    def _bind(self, rows: Rows, scaling: Scaling | None, alpha: float) -> DataObjective:
        return self.loss(
            rows.X,
            rows.y,
            sample_weight=rows.loss_weight,
            intercept=self.settings.fit_intercept,
            alpha=alpha,
            l1_ratio=self.settings.l1_ratio,
            centre=None if scaling is None else scaling.centre,
            scale=None if scaling is None else scaling.scale,
            **self.options,
        )

    def _gradient_norm(self, tol: float, objective: DataObjective, start: Parameters | None) -> GradientNorm:
        """Return the rule that compares with the gradient at zeros, wherever the run starts."""
        if start is None:
            return GradientNorm(tol)
        zeros = np.zeros(objective.n_parameters, objective.dtype)
        _, gradient = objective.native.value_and_gradient(zeros)
        return GradientNorm(tol, objective.native.gradient_norm(zeros, gradient))

    def _w(self, start: Parameters | None, scaling: Scaling | None, objective: DataObjective) -> Array | None:
        if start is None:
            return None
        coefficients, intercepts = start.coefficients, start.intercepts
        if scaling is not None:
            coefficients, intercepts = scaling.to_scaled(coefficients, intercepts)
        if self.settings.fit_intercept:
            coefficients = np.column_stack([coefficients, intercepts])
        return coefficients.astype(objective.dtype).ravel()

    def _parameters(self, w: Array, scaling: Scaling | None) -> Parameters:
        table = w.reshape(self.n_outputs, -1).astype(np.float64)
        intercept = self.settings.fit_intercept
        coefficients = table[:, :-1] if intercept else table
        intercepts = table[:, -1] if intercept else np.zeros(self.n_outputs)
        if self.n_outputs > 1:  # the same added to all scores of a row changes no probability
            intercepts = intercepts - intercepts.mean()
            coefficients = coefficients - coefficients.mean(axis=0) if self.settings.alpha == 0 else coefficients
        if scaling is not None:
            coefficients, intercepts = scaling.to_original(coefficients, intercepts)
        return Parameters(coefficients, intercepts)

    def _warn(self, result: Result, expected_to_converge: bool) -> None:
        """Warn as scikit-learn does, with the diagnosis of the run."""
        if result.stop_reason == "diverged":
            text = "The fit diverged; the last finite parameters are kept."
        elif result.stop_reason == "max_epochs" and expected_to_converge:
            text = f"The fit has not converged to tol within max_iter={self.settings.max_iter} passes over the data."
        elif result.stop_reason == "separable":
            text = "The fit found no minimum;"
        elif result.stop_reason == "rounding":
            text = "The fit did not reach the minimum;"
        elif result.diagnosis.kind in ("exploding", "oscillating"):
            text = "The fit does not converge;"
        else:
            return
        category = require("sklearn.exceptions", "sklearn").ConvergenceWarning
        warnings.warn(f"{text} {result.diagnosis}".rstrip(), category, stacklevel=levels_outside())

"""Cross-validation of the penalty: folds are weights of 0 on one X, and each has a path over all strengths."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import check_count, check_flag, check_fraction, describe
from ..descent.supervision import quiet
from ..objectives.columns import Columns
from ..objectives.data import DataObjective
from ..paths.choice import keeps_hessian
from ..paths.grid import check_alphas
from ..paths.result import Path
from ..paths.walk import default_alphas, path
from .folds import Fold, folds_of, held_out_losses
from .offsets import beside_offsets
from .penalties import column_factors
from .predictions import in_parts
from .rows import Parameters, Rows
from .scaling import Scaling, standardising
from .settings import FitSettings, Saved

__all__ = ["CrossValidated", "Scores"]

Vector = NDArray[np.float64]
_TIGHT = 1e-16  # the tolerance of the path to the last fit
_RULES = ("best", "one-standard-error")
# The parameters of an estimator that a cross-validated one does not offer.
_NOT_OFFERED = {
    "optimizer": "auto",
    "learning_rate": "auto",
    "batch_size": None,
    "shuffle": True,
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_iter_no_change": 5,
    "warm_start": False,
    "callbacks": None,
    "verbose": False,
}


class Scores(NamedTuple):
    """The losses of the rows that were held out, at all strengths for one l1_ratio.

    Attributes
    ----------
    l1_ratio : float
    alphas : array of shape (n_alphas,)
        The strengths, the largest first.
    losses : array of shape (n_alphas, n_folds)
        The mean loss of the rows of each fold.
    marks : array of shape (n_alphas, n_folds)
        What the choice makes as small as it can: the losses, or the shares of wrong classes.
    """

    l1_ratio: float
    alphas: Vector
    losses: Vector
    marks: Vector


class CrossValidated:
    """Adds a fit that chooses the penalty by cross-validation. It stands before the estimator among the bases."""

    alpha: Any = 1.0  # there is a penalty, so that categories keep all levels
    random_state: Any = None
    l1_ratio: Any
    _stratify: bool

    def __sklearn_tags__(self) -> Any:
        """Return scikit-learn's tags. There is one target."""
        tags = super().__sklearn_tags__()  # type: ignore[misc]
        tags.target_tags.multi_output = False
        return tags

    @property
    def partial_fit(self) -> Any:
        """Not there: cross-validation needs all rows."""
        raise AttributeError(f"{type(self).__name__} has no partial_fit, as cross-validation needs all rows at once")

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None, *, offset: Any = None) -> Self:
        """Choose the penalty by cross-validation, and fit the model to all rows with it.

        Parameters
        ----------
        X : array-like, sparse matrix or data frame of shape (n_samples, n_features)
            The training data, as the estimators without cross-validation take them. The folds are weights of 0 on this
            one X, which is not copied.
        y : array-like of shape (n_samples,)
            The targets.
        sample_weight : array-like of shape (n_samples,), optional
            Weights of the rows, at least 0 and not all 0. They count in the fits and in the losses of rows held out.
        offset : array-like of shape (n_samples,), optional
            Numbers that are added to the scores of the rows, as for the estimator without cross-validation: in the fits
            and in the losses of rows held out. Classifiers take them for two classes.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            The data or a parameter are refused, a fold has no row with a weight, or the rows without a fold have only
            some of the classes.
        NotImplementedError
            An offset was given for more than two classes.

        Warns
        -----
        ConvergenceWarning
            The last fit, to all rows, did not succeed: see the estimators without cross-validation.
        """
        model: Any = self
        with model._unchanged_by_errors():
            self._choose_and_fit(X, y, sample_weight, offset)
        model._raise_if_interrupted()
        return self

    def _choose_and_fit(self, X: Any, y: Any, sample_weight: Any, offset: Any) -> None:
        model: Any = self
        if in_parts(X):
            expected = "X must be an array, a sparse matrix or a data frame for cross-validation"
            raise TypeError(f"{expected}, got {describe(X)}")
        ratios, rule = self._ratios(), self._rule()
        settings = self._settings(1.0, ratios[0])
        model._has_offset = offset is not None
        X, y, sample_weight = model._checked_data(X, y, sample_weight, reset=True)
        factors = column_factors(model)
        settings = dataclasses.replace(settings, penalty_weight=factors)
        y = model._checked_targets(y, sample_weight, X.dtype)
        n_scores = model._loss()[1] if offset is not None else 1
        if n_scores > 1:
            raise NotImplementedError(f"offset must be None for more than two classes, got one for {n_scores} classes")
        rows, _ = beside_offsets(model, model._rows(X, y, sample_weight), None, (offset, None))
        with settings.in_threads():
            problem = _Problem(self, settings, rows)
            chosen, at, scores = self._chosen(problem, ratios, rule)
            self._keep_scores(chosen, at, scores)
            start, n_passes = problem.start(self.alpha_, self.l1_ratio_)
        settings = dataclasses.replace(self._settings(self.alpha_, self.l1_ratio_), penalty_weight=factors)
        result, parameters, model._online = model._run(settings, rows, None, start, Saved(None, 60.0))
        model._store(parameters, X.dtype)
        model.n_iter_ = result.n_epochs + n_passes
        model._keep_outcome(result)

    def _settings(self, alpha: float, l1_ratio: float) -> FitSettings:
        """Return the settings of an estimator with one penalty."""
        plain = copy.copy(self)
        plain.__dict__.update(_NOT_OFFERED, alpha=alpha, l1_ratio=l1_ratio)
        return FitSettings.of(plain)

    def _fitted_settings(self) -> FitSettings:
        """Return the settings of the last fit, with the chosen penalty."""
        return self._settings(self.alpha_, self.l1_ratio_)

    def _ratios(self) -> list[float]:
        given = self.l1_ratio
        several = list(given) if isinstance(given, list | tuple | np.ndarray) and np.ndim(given) == 1 else [given]
        if not several:
            raise ValueError("l1_ratio must be a number from 0 to 1, or several, got none")
        return [check_fraction("l1_ratio", each) for each in several]

    def _rule(self) -> str:
        rule: Any = self.rule  # type: ignore[attr-defined]
        if not isinstance(rule, str) or rule not in _RULES:
            raise ValueError(f"rule must be {_RULES[0]!r} or {_RULES[1]!r}, got {describe(rule)}")
        return rule

    def _chosen(self, problem: _Problem, ratios: list[float], rule: str) -> tuple[Scores, int, list[Scores]]:
        """Return the scores of the chosen l1_ratio, the place of the chosen alpha, and all scores."""
        folds = problem.folds()
        found = [problem.scores(ratio, folds) for ratio in ratios]
        weights = np.array([fold.weight for fold in folds])
        means = [np.average(each.marks, axis=1, weights=weights) for each in found]
        best = int(np.argmin([each.min() for each in means]))
        at = int(np.argmin(means[best]))  # of equal ones the first, which has the strongest penalty
        if rule == "one-standard-error":
            apart = (found[best].marks[at] - means[best][at]) ** 2
            error = np.sqrt(np.average(apart, weights=weights) / max(len(folds) - 1, 1))
            at = int(np.argmax(means[best] <= means[best][at] + error))
        self.path_ = problem.whole_path(found[best])
        return found[best], at, found

    def _keep_scores(self, chosen: Scores, at: int, scores: list[Scores]) -> None:
        self.alpha_, self.l1_ratio_ = float(chosen.alphas[at]), chosen.l1_ratio
        self.alphas_ = self._stacked([each.alphas for each in scores])
        self.loss_path_ = self._stacked([each.losses for each in scores])

    def _stacked(self, of_ratios: list[Vector]) -> Vector:
        """Return one array for several l1_ratios, or that of the only one."""
        return np.array(of_ratios) if np.ndim(self.l1_ratio) == 1 else of_ratios[0]


class _Problem:
    """The loss of an estimator over its rows, for paths."""

    def __init__(self, model: Any, settings: FitSettings, rows: Rows) -> None:
        present = model._present(settings, rows)
        rows = rows if present is None else present.rows(rows)
        self._kind, self._n_scores, self._options = model._loss() if present is None else present.loss()
        if present is not None and len(present.places) < 2:
            raise ValueError("y must hold at least two classes with a weight for cross-validation, got one")
        self._model, self._settings, self._rows, self._present = model, settings, rows, present
        self._objective = self._kind(
            rows.X,
            rows.y,
            sample_weight=rows.loss_weight,
            intercept=settings.fit_intercept,
            offset=rows.offset,
            penalty_weight=settings.penalty_weight,
            **self._options,
        )
        self._given = None if model.alphas is None else check_alphas(model.alphas)
        check_count("n_alphas", model.n_alphas, 1)

    def folds(self) -> list[Fold]:
        classes = self._objective.layout.n_scores if self._objective.is_of_classes else 0
        return folds_of(self._model.cv, self._rows, max(classes, 2) if classes else 0)

    def _standardised(self, objective: DataObjective, weight: Any) -> DataObjective:
        if not check_flag("standardize", self._settings.standardize):
            return objective
        scaling = standardising(Columns.of(self._rows.X, weight), self._settings.fit_intercept)
        return objective.with_scaling(scaling.centre, scaling.scale)  # type: ignore[no-any-return]

    def scores(self, l1_ratio: float, folds: list[Fold]) -> Scores:
        """Return the losses of all folds, for one l1_ratio."""
        whole, model = self._standardised(self._objective, self._rows.sample_weight), self._model
        alphas = self._given
        if alphas is None:
            alphas = default_alphas(whole, l1_ratio, model.n_alphas, model.smallest, self._settings.positive)
        by_accuracy = getattr(model, "scoring", "loss") == "accuracy"
        losses, marks = np.empty((len(alphas), len(folds))), np.empty((len(alphas), len(folds)))
        for place, fold in enumerate(folds):
            trains = (fold.training > 0).astype(fold.training.dtype)
            weight, own = self._objective.weights, self._rows.sample_weight
            data = self._objective.data.with_weights(
                trains if weight is None else trains * weight, float(fold.training.sum(dtype=np.float64))
            )
            objective = self._standardised(self._objective.with_data(data), trains if own is None else trains * own)
            found = path(objective, alphas, l1_ratio=l1_ratio, positive=self._settings.positive)
            held = held_out_losses(objective, self._objective.data, fold, found, by_accuracy)
            held = held[0] + self._constant(fold), held[1] + (0.0 if by_accuracy else self._constant(fold))
            losses[:, place], marks[:, place] = held
        return Scores(l1_ratio, alphas, losses, marks)

    def _constant(self, fold: Fold) -> float:
        """Return what the mean loss of a fold's held-out rows has beside that of the objective: see `as_means`."""
        rows = self._rows
        if rows.offset is None or not self._objective.is_of_counts:
            return 0.0
        weight = np.ones(len(fold.held)) if rows.loss_weight is None else rows.loss_weight[fold.held]
        terms = weight.astype(np.float64) * rows.y[fold.held] * rows.offset[fold.held]
        return -float(terms.sum()) / fold.weight

    def whole_path(self, scores: Scores) -> Path:
        """Return the path of all rows."""
        objective = self._standardised(self._objective, self._rows.sample_weight)
        return path(objective, scores.alphas, l1_ratio=scores.l1_ratio, positive=self._settings.positive)

    def start(self, alpha: float, l1_ratio: float) -> tuple[Parameters | None, int]:
        """Return the minimum for all rows, as near as rounding allows, for the last fit to begin at, and its passes.

        It makes no warning: the last fit makes its own.

        Objectives of too many parameters for a path that keeps a Hessian have none: their last fit begins at zeros.
        """
        objective = self._standardised(self._objective, self._rows.sample_weight)
        if not keeps_hessian(objective):
            return None, 0
        with quiet():
            found = path(objective, [alpha], l1_ratio=l1_ratio, tol=_TIGHT, positive=self._settings.positive)
        table = np.atleast_2d(found.parameters(0)).astype(np.float64)
        d = objective.n_features
        coefficients = table[:, :d]
        intercepts = table[:, d] if objective.intercept else np.zeros(len(table))
        if objective.scaling is not None:
            coefficients, intercepts = Scaling(*objective.scaling).to_original(coefficients, intercepts)
        start = Parameters(coefficients, intercepts)
        return start if self._present is None else self._present.parameters(start), found.n_passes

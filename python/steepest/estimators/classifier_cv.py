"""`LogisticClassifierCV`: `LogisticClassifier` with a penalty that cross-validation chooses."""

from __future__ import annotations

from typing import Any, Unpack

from ..arrays.checks import describe
from ..arrays.hints import hinting
from .classifier import LogisticClassifier
from .cross_validation import CrossValidated, Scores
from .documentation_cv import HINTS, documented_cv
from .shared_cv import Shared, with_shared

__all__ = ["LogisticClassifierCV"]

_SCORINGS = ("loss", "accuracy")


@documented_cv
class LogisticClassifierCV(CrossValidated, LogisticClassifier):  # type: ignore[misc]
    """Logistic or softmax regression with an elastic-net penalty, whose strength cross-validation chooses.

    The loss and the penalty are those of `LogisticClassifier`. A number of folds gives each fold about the same share
    of every class.

    {parameters}
    classes_ : array of shape (n_classes,)
        The sorted labels.
    coef_ : array of shape (1, n_features) for two classes, (n_classes, n_features) for more, the dtype of X
    intercept_ : array of shape (1,) or (n_classes,), the dtype of X
    scores_ : array of the shape of ``loss_path_``
        What ``scoring`` names, for the rows held out: the higher the better. For "loss" it is the negative loss.
    {attributes}

    Examples
    --------
    >>> import numpy as np
    >>> from steepest.estimators import LogisticClassifierCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 10))
    >>> y = np.where(2 * X[:, 0] + rng.logistic(size=300) > 0, "yes", "no")
    >>> model = LogisticClassifierCV(n_alphas=20, rule="one-standard-error").fit(X, y)
    >>> np.flatnonzero(model.coef_[0])
    array([0])
    >>> model.scores_.shape
    (20, 5)
    """

    @hinting(**HINTS)
    @with_shared
    def __init__(self, *, scoring: str = "loss", class_weight: Any = None, **shared: Unpack[Shared]) -> None:
        self._keep({"scoring": scoring, "class_weight": class_weight, **shared})

    def _rule(self) -> str:
        if not isinstance(self.scoring, str) or self.scoring not in _SCORINGS:
            raise ValueError(f"scoring must be {_SCORINGS[0]!r} or {_SCORINGS[1]!r}, got {describe(self.scoring)}")
        return super()._rule()

    def _keep_scores(self, chosen: Scores, at: int, scores: list[Scores]) -> None:
        super()._keep_scores(chosen, at, scores)
        marks = self._stacked([each.marks for each in scores])
        self.scores_ = 1.0 - marks if self.scoring == "accuracy" else -marks

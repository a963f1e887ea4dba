"""`LogisticClassifier`: logistic and softmax regression with scikit-learn's contract."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.hints import OF_ESTIMATORS, hinting
from ..extras import require
from ..objectives.data import DataObjective
from ..objectives.losses import Logistic
from ..objectives.softmax import Softmax
from .base import LinearModel, available_if, takes_steps
from .documentation import documented, with_notes
from .labels import class_factors, classes_of, numbers_of
from .online import Growth, Online
from .predictions import ScoredInParts, by_parts
from .present import Present, classes_with_weight, off_the_limit
from .settings import FitSettings
from .training import Parameters, Rows

__all__ = ["LogisticClassifier"]

ClassifierMixin: Any = require("sklearn.base", "sklearn").ClassifierMixin
Array = NDArray[Any]


@documented
class LogisticClassifier(ScoredInParts, ClassifierMixin, LinearModel):  # type: ignore[misc]
    """Logistic regression for two classes, softmax regression for more, with an elastic-net penalty.

    ::

        F(w, b) = sum_i s_i loss(x_i . w + b, y_i) / sum_i s_i + alpha (l1_ratio |w|_1 + (1 - l1_ratio) / 2 |w|^2)

    The loss is the one of ``st.Logistic`` for two classes and the one of ``st.Softmax`` for more.

    scikit-learn's ``LogisticRegression(C=c)`` adds up the losses instead of taking their mean. To get its coefficients,
    set ``alpha = 1 / (c * sum(weights))`` and the same ``l1_ratio``. The weight of a row is its ``sample_weight`` times
    the weight of its class; without either, the sum is n_samples. The default, ``alpha=None``, therefore means
    ``C=1``. For ``SGDClassifier`` with the logistic loss, alpha is the same.

    {parameters}
    classes_ : array of shape (n_classes,)
        The sorted labels, including classes whose rows all have weight 0. With an intercept, such a class gets its
        parameters in the limit of probability 0: coefficients of 0 and an intercept of -1e9.
    coef_ : array of shape (1, n_features) for two classes, (n_classes, n_features) for more, the dtype of X
    intercept_ : array of shape (1,) or (n_classes,), the dtype of X
    {attributes}

    Examples
    --------
    >>> import numpy as np
    >>> from steepest.estimators import LogisticClassifier
    >>> X, y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.array(["no", "no", "yes", "yes"])
    >>> model = LogisticClassifier().fit(X, y)
    >>> print(model.predict(X))
    ['no' 'no' 'yes' 'yes']
    >>> model.predict_proba(np.array([[1.5]])).round(3)
    array([[0.5, 0.5]])
    """

    _stratify = True

    @hinting(**OF_ESTIMATORS)
    def __init__(
        self,
        optimizer: Any = "auto",
        *,
        learning_rate: Any = "auto",
        batch_size: int | None = None,
        shuffle: bool = True,
        alpha: float | None = None,
        l1_ratio: float = 0.0,
        penalty_weight: Any = None,
        positive: bool = False,
        fit_intercept: bool = True,
        standardize: bool = False,
        max_iter: int = 1000,
        tol: float | str = "auto",
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        class_weight: Any = None,
        categorical: Any = "auto",
        drop: str | None = "auto",
        handle_missing: str = "error",
        handle_unknown: str = "error",
        warm_start: bool = False,
        random_state: Any = None,
        n_jobs: int | None = None,
        callbacks: Any = None,
        verbose: bool | int = False,
    ) -> None:
        self._keep(locals())

    @available_if(takes_steps)
    @with_notes
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Take the steps of one epoch over some rows, from the current parameters.

        Parameters
        ----------
        X : array-like or sparse matrix of shape (n, n_features)
            The rows.
        y : array-like of shape (n,)
            The classes of the rows.
        classes : array-like of shape (n_classes,)
            The classes. The first call needs them, and rows of any others are an error. A later call may name more
            classes, together with all those before: the model then grows, see below.
        sample_weight : array-like of shape (n,), optional
            The weights of the rows.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            As for `fit`. Also: the first call has no classes, a later call leaves out classes, a row has a class that
            no call has named, or ``class_weight`` is "balanced", which needs all rows.
        AttributeError
            The optimizer is QuasiNewton, which needs all rows at once.

        {online}
        A new class starts with the mean of the other classes' coefficients and intercepts, and with zeros in the
        optimizer's state. The odds among the other classes stay as they are, and the most probable class stays so.
        With a third class, the single score of two classes becomes one score a class, and the loss that of ``Softmax``.

        Examples
        --------
        A third class comes late:

        >>> import numpy as np
        >>> from steepest.estimators import LogisticClassifier
        >>> X, y = np.array([[0.0], [1.0], [3.0], [4.0]]), np.array(["a", "a", "b", "b"])
        >>> model = LogisticClassifier("adam", alpha=0.0, random_state=0).partial_fit(X, y, classes=["a", "b"])
        >>> model.coef_.shape
        (1, 1)
        >>> model = model.partial_fit(np.array([[9.0]]), np.array(["c"]), classes=["a", "b", "c"])
        >>> model.classes_, model.coef_.shape
        (array(['a', 'b', 'c'], dtype='<U1'), (3, 1))
        """
        with self._unchanged_by_errors():
            self._go_on_with_classes(X, y, classes, sample_weight)
        self._raise_if_interrupted()
        return self

    def _go_on_with_classes(self, X: Any, y: Any, classes: Any, sample_weight: Any) -> None:
        if isinstance(self.class_weight, str):
            raise ValueError(f"class_weight must be a dict or None for partial_fit, got {self.class_weight!r}")
        first, known = not hasattr(self, "coef_"), hasattr(self, "classes_")
        if classes is None and not known:
            raise ValueError("classes must be given in the first call of partial_fit, got None")
        if classes is not None:
            given = classes_of(np.unique(np.asarray(classes)))
            if first or not known:
                self.classes_ = given
            elif not np.array_equal(given, self.classes_):
                self._grow(given)
        self._factors = class_factors(self.class_weight, self.classes_, None, None)
        self._go_on(X, y, sample_weight, first)

    def _grow(self, classes: Array) -> None:
        """Take the parameters and the state of the optimizer to more classes."""
        if not np.isin(self.classes_, classes).all():
            raise ValueError(f"classes must hold all those of the calls before, {self.classes_}, got {classes}")
        before, (start, _) = self._loss()[1], self._parameters_and_classes()
        if (len(start.coefficients), len(start.intercepts)) != (before, before):
            raise ValueError(f"coef_ must have {before} rows, to start from, got {describe(self.coef_)}")
        growth = Growth(np.searchsorted(classes, self.classes_), len(classes))
        online, start = getattr(self, "_online", Online()).grown(growth, off_the_limit(start))
        self.classes_, self._online = classes, online
        self._store(start, self.coef_.dtype)
        online.stored = self._parameters_and_classes()[0]

    @by_parts
    def decision_function(self, X: Any, offset: Any = None) -> Array:
        """Return the scores of X. For two classes: those of the second, of shape (n,). For more: (n, n_classes).

        ``offset``, of the shape of the scores or one number, is added to them. This and the other methods need it for a
        model that was fitted with an offset.

        X may be a dense array in a CUDA device's memory. The scores are then there too, as an array of the same
        library, and so are probabilities. `predict` returns its labels as a NumPy array.
        """
        scores = self._scores(X, offset)
        return scores[:, 0] if len(self.classes_) == 2 else scores

    @by_parts
    def predict(self, X: Any, offset: Any = None) -> Array:
        """Return the most probable class of every row, of shape (n,): a NumPy array, wherever X is."""
        scores = self.decision_function(X, offset)
        places = (scores > 0).astype(np.intp) if scores.ndim == 1 else scores.argmax(axis=1)
        return np.asarray(self.classes_[places])

    @by_parts
    def predict_proba(self, X: Any, offset: Any = None) -> Array:
        """Return the probability of every class, of shape (n, n_classes)."""
        scores, special = self.decision_function(X, offset), require("scipy.special", "sklearn")
        if scores.ndim == 1:
            return np.column_stack([special.expit(-scores), special.expit(scores)])
        return np.asarray(special.softmax(scores, axis=1))

    @by_parts
    def predict_log_proba(self, X: Any, offset: Any = None) -> Array:
        """Return the logarithms of the probabilities, of shape (n, n_classes). They do not underflow."""
        scores, special = self.decision_function(X, offset), require("scipy.special", "sklearn")
        if scores.ndim == 1:
            return np.column_stack([special.log_expit(-scores), special.log_expit(scores)])
        return np.asarray(special.log_softmax(scores, axis=1))

    def _checked_targets(self, y: Array, sample_weight: Array | None, dtype: Any) -> Array:
        self.classes_ = classes_of(y)
        numbers = numbers_of(y, self.classes_, dtype, own=True)
        self._factors = class_factors(self.class_weight, self.classes_, numbers, sample_weight)
        return numbers

    def _more_targets(self, y: Any, dtype: Any) -> Array:
        return numbers_of(y, self.classes_, dtype)

    def _loss_weight(self, y: Array, sample_weight: Array | None) -> Array | None:
        if self._factors is None:
            return sample_weight
        factors = self._factors.astype(y.dtype)
        if ((factors == 0) != (self._factors == 0)).any() or np.isinf(factors).any():
            raise ValueError(f"class_weight must be 0 or within {y.dtype}, the dtype of X, got {self.class_weight!r}")
        weights: Array = factors[y.astype(np.intp)]
        return weights if sample_weight is None else weights * sample_weight

    def _present(self, settings: FitSettings, rows: Rows) -> Present | None:
        places = classes_with_weight(rows.y, rows.loss_weight, len(self.classes_))
        if len(places) == 0:
            raise ValueError("sample_weight and class_weight must leave some row a weight above 0, got 0 for all")
        # Only an intercept can take the probability of a class to 0. Without one, a class of weight 0 is fitted too.
        whole = len(places) == len(self.classes_) or not settings.fit_intercept
        return None if whole else Present(places, self.classes_)

    def _checked_start(self, start: Parameters, classes: Any) -> Parameters:
        return off_the_limit(super()._checked_start(start, classes))

    def _loss(self) -> tuple[type[DataObjective], int, dict[str, Any]]:
        n_classes = len(self.classes_)
        return (Logistic, 1, {}) if n_classes == 2 else (Softmax, n_classes, {"n_classes": n_classes})

    def _store(self, parameters: Parameters, dtype: Any) -> None:
        self.coef_ = parameters.coefficients.astype(dtype)
        self.intercept_ = parameters.intercepts.astype(dtype)

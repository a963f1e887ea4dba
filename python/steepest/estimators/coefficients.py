"""The coefficients of a model: dense or sparse, the start of another fit, and the scores that they give."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..arrays.checks import describe
from ..arrays.sparse import is_sparse
from ..extras import require
from ..objectives.data import DataObjective
from .columns import validated
from .conversion import naming_faults
from .features import product
from .frames import encoded, n_coefficients
from .offsets import scores_beside
from .rows import Parameters

__all__ = ["DTYPES", "Coefficients"]

Array = NDArray[Any]
DTYPES = [np.float64, np.float32]
_validation = require("sklearn.utils.validation", "sklearn")
_is_regressor: Any = require("sklearn.base", "sklearn").is_regressor


class Coefficients:
    """What `LinearModel` does with ``coef_`` and ``intercept_``."""

    coef_: Any
    intercept_: Any
    classes_: Any

    def _loss(self) -> tuple[type[DataObjective], int, dict[str, Any]]:
        raise NotImplementedError

    def _set_coefficients(self, table: Array) -> None:
        """Store coefficients of shape (k, n_features) in the shape that ``coef_`` has."""
        self.coef_ = table

    def sparsify(self) -> Self:
        """Make ``coef_`` a sparse matrix (CSR), which takes less memory if most of it is 0, as with an L1 penalty.

        Returns
        -------
        self
            Predictions work as before. A fit makes ``coef_`` dense again.

        Raises
        ------
        NotFittedError
            The model is not fitted.
        """
        _validation.check_is_fitted(self, ["coef_"])
        if not is_sparse(self.coef_):
            self.coef_ = require("scipy.sparse", "sklearn").csr_matrix(self.coef_)
        return self

    def densify(self) -> Self:
        """Make ``coef_`` a dense array again, after `sparsify`.

        Returns
        -------
        self

        Raises
        ------
        NotFittedError
            The model is not fitted.
        """
        _validation.check_is_fitted(self, ["coef_"])
        if is_sparse(self.coef_):
            self._set_coefficients(self.coef_.toarray())
        return self

    def _parameters_and_classes(self) -> tuple[Parameters, Any]:
        """Return the current parameters and classes. If a user has set coef_ only, the intercepts are zeros."""
        given = self.coef_.toarray() if is_sparse(self.coef_) else self.coef_
        try:
            coefficients = np.atleast_2d(np.array(given, np.float64))
            intercepts = np.array(getattr(self, "intercept_", np.zeros(len(coefficients))), np.float64).ravel()
        except (TypeError, ValueError) as error:
            raise ValueError(f"coef_ and intercept_, to start from, must be arrays of numbers: {error}") from error
        return Parameters(coefficients, intercepts), getattr(self, "classes_", None)

    def _previous(self) -> tuple[Parameters, Any] | None:
        return self._parameters_and_classes() if hasattr(self, "coef_") else None

    def _checked_start(self, start: Parameters, classes: Any) -> Parameters:
        """Return the parameters to start from, which must match the data of this fit."""
        n_features = n_coefficients(self)
        if start.coefficients.ndim == 2 and start.coefficients.shape[1] != n_features:
            n = start.coefficients.shape[1]
            raise ValueError(f"X must have {n} columns as in the last fit (warm_start), got {n_features}")
        k = self._loss()[1]
        for name, found, shape in (
            ("coef_", start.coefficients, (k, n_features)),
            ("intercept_", start.intercepts, (k,)),
        ):
            if found.shape != shape or not np.isfinite(found).all():
                expected = f"finite numbers of shape {shape}, to start from"
                raise ValueError(f"{name} must hold {expected}, got {describe(found)}")
        if classes is not None and not np.array_equal(classes, self.classes_):
            raise ValueError(f"y must have the classes {classes} of the last fit (warm_start), got {self.classes_}")
        return start

    def _scores(self, X: Any, offset: Any = None) -> Array:
        _validation.check_is_fitted(self, ["coef_", "intercept_"])
        X = encoded(self, X, reset=False)
        with naming_faults(X):
            X = validated(self, X, accept_sparse="csr", dtype=DTYPES, reset=False)
        with np.errstate(over="ignore", invalid="ignore"):
            scores = np.asarray(product(X, np.transpose(self.coef_)) + self.intercept_)
        return scores_beside(scores, offset, getattr(self, "_has_offset", False), _is_regressor(self))

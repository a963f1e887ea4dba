"""Estimators with scikit-learn's interface, which fit by `minimize`. They need the extra `sklearn`.

This folder may use `descent` and all folders that `descent` may use.
"""

from .base import LinearModel
from .classifier import LogisticClassifier
from .classifier_cv import LogisticClassifierCV
from .collections import taking_collections
from .regressor import LinearRegressor
from .regressor_cv import LinearRegressorCV

__all__ = ["LinearRegressor", "LinearRegressorCV", "LogisticClassifier", "LogisticClassifierCV"]

for _model in (LinearModel, LogisticClassifier, LinearRegressor):
    taking_collections(_model)

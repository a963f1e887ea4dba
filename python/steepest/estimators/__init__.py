"""Estimators with scikit-learn's interface, which fit by `minimize`. They need the extra `sklearn`.

This folder may use `descent` and all folders that `descent` may use.
"""

from .base import LinearModel
from .classifier import LogisticClassifier
from .collections import taking_collections
from .regressor import LinearRegressor

__all__ = ["LinearRegressor", "LogisticClassifier"]

for _model in (LinearModel, LogisticClassifier, LinearRegressor):
    taking_collections(_model)

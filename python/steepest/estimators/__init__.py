"""Estimators with scikit-learn's interface, which fit by `minimize`. They need the extra `sklearn`.

This folder may use `descent` and all folders that `descent` may use.
"""

from .classifier import LogisticClassifier
from .regressor import LinearRegressor

__all__ = ["LinearRegressor", "LogisticClassifier"]

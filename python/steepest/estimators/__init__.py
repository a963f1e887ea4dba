"""Estimators with scikit-learn's contract over the objectives and the loop; they need the extra `sklearn`.

This folder may use `descent` and what that uses.
"""

from .classifier import LogisticClassifier
from .regressor import LinearRegressor

__all__ = ["LinearRegressor", "LogisticClassifier"]

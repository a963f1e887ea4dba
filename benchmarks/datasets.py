"""Real data that come with packages, as arrays for objectives: flights, diamonds and scikit-learn's small sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import steepest as st
from steepest.cli.encoding import TableEncoder
from steepest.cli.flights import FLIGHT_FEATURES, LATE_MINUTES, flights_frame
from steepest.extras import require

Array = npt.NDArray[Any]


@dataclass
class Dataset:
    """X of shape (n, d), y of shape (n,), both float64, the loss that suits them, and the names of the columns."""

    name: str
    X: Array
    y: Array
    loss: type[st.LeastSquares] | type[st.Logistic]
    columns: list[str]

    def standardised(self) -> Dataset:
        """Return the same with columns of mean 0 and deviation 1; those that never change become 0."""
        scale = self.X.std(axis=0)
        X = (self.X - self.X.mean(axis=0)) / np.where(scale > 1e-12 * np.abs(self.X).max(axis=0), scale, np.inf)
        return Dataset(self.name, X, self.y, self.loss, self.columns)

    def objective(self, **options: Any) -> st.LeastSquares | st.Logistic:
        """Bind the loss to the data."""
        return self.loss(self.X, self.y, **options)


def flights(target: str = "late") -> Dataset:
    """327,346 flights that left New York in 2013 x 28: did it come late ("late"), or by how many minutes ("delay")."""
    frame, columns = flights_frame(), list(FLIGHT_FEATURES)
    encoder = TableEncoder(leaves_out=False)
    delay = frame["arr_delay"].to_numpy(np.float64)
    y = (delay > LATE_MINUTES).astype(np.float64) if target == "late" else delay
    X = np.ascontiguousarray(encoder.fit_transform(frame[columns]))
    features = list(encoder.get_feature_names_out())
    return Dataset("flights", X, y, st.Logistic if target == "late" else st.LeastSquares, features)


def diamonds() -> Dataset:
    """53,940 diamonds: the logarithm of the price."""
    frame = require("plotnine.data", "bench").diamonds
    columns = [name for name in frame.columns if name != "price"]
    frame = frame.assign(**{name: frame[name].astype(str) for name in ("cut", "color", "clarity")})
    encoder = TableEncoder(leaves_out=False)
    X = np.ascontiguousarray(encoder.fit_transform(frame[columns]))
    features = list(encoder.get_feature_names_out())
    return Dataset("diamonds", X, np.log(frame["price"].to_numpy(np.float64)), st.LeastSquares, features)


def small(name: str) -> Dataset:
    """Load breast_cancer, diabetes or digits (which of the digits are above 4), from scikit-learn."""
    X, y = getattr(require("sklearn.datasets", "bench"), f"load_{name}")(return_X_y=True)
    target = (y > 4 if name == "digits" else y).astype(np.float64)
    loss = st.LeastSquares if name == "diabetes" else st.Logistic
    return Dataset(name, np.ascontiguousarray(X, np.float64), target, loss, [f"x{i}" for i in range(X.shape[1])])


def digits(first: int, second: int) -> Dataset:
    """Load the images of two of scikit-learn's digits, and whether each is the second."""
    X, y = require("sklearn.datasets", "bench").load_digits(return_X_y=True)
    rows = (y == first) | (y == second)
    columns = [f"pixel {i}" for i in range(X.shape[1])]
    target = (y[rows] == second).astype(np.float64)
    return Dataset(
        f"digits {first} and {second}", np.ascontiguousarray(X[rows], np.float64), target, st.Logistic, columns
    )

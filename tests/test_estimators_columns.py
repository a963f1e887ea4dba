"""The estimators read the names of columns themselves, whatever scikit-learn's version knows of a library's frames."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest

import steepest as st
from linear_models import blobs

X, TARGET, LABEL = blobs()
NAMES = [f"x{i}" for i in range(X.shape[1])]
each_kind = pytest.mark.parametrize(("make", "y"), [(st.LinearRegressor, TARGET), (st.LogisticClassifier, LABEL)])


class Frame:
    """A data frame that has nothing but names, a shape and numbers: no protocol that scikit-learn goes by."""

    def __init__(self, X, names):
        self.X, self.columns, self.shape = X, names, X.shape

    def __len__(self):
        return len(self.X)

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.X, dtype)


def arrow(X, names):
    return pytest.importorskip("pyarrow").table(list(X.T), names=names)


def polars(X, names):
    return pytest.importorskip("polars").DataFrame(X, schema=names)


def pandas(X, names):
    return pd.DataFrame(X, columns=names)


each_frame = pytest.mark.parametrize("frame", [Frame, arrow, polars, pandas])


@each_kind
@each_frame
def test_names_are_read(make, y, frame):
    model = make().fit(frame(X, NAMES), y)
    assert model.feature_names_in_.tolist() == NAMES
    assert (model.feature_names_in_.dtype, model.n_features_in_) == (object, len(NAMES))
    plain = make().fit(X, y)
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-6)
    np.testing.assert_allclose(model.predict(frame(X, NAMES)), plain.predict(X), rtol=1e-6)
    again = make(warm_start=True).fit(frame(X, NAMES), y).fit(X, y)
    assert not hasattr(again, "feature_names_in_")


@each_kind
@each_frame
def test_names_are_compared(make, y, frame):
    model = make().fit(frame(X, NAMES), y)
    before = copy.copy(model.__dict__)
    with pytest.raises(ValueError, match="feature names should match") as caught:
        model.predict(frame(X, [*NAMES[:-1], "z"]))
    assert "z" in str(caught.value)
    assert NAMES[-1] in str(caught.value)
    with pytest.raises(ValueError, match="order"):
        model.predict(frame(X, NAMES[::-1]))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame(X[:, :3], NAMES[:3]))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)
    assert model.__dict__ == before
    nameless = make().fit(X, y)
    with pytest.warns(UserWarning, match="X has feature names, but .* was fitted without feature names") as caught:
        nameless.predict(frame(X, NAMES))
    assert len(caught) == 1


@each_frame
def test_a_validation_set_is_compared(frame):
    names = [*NAMES[:-1], "z"]
    with pytest.raises(ValueError, match="X_val and y_val must be like X and y: The feature names"):
        st.LinearRegressor().fit(frame(X, NAMES), TARGET, X_val=frame(X, names), y_val=TARGET)


def test_partial_fit_compares():
    model = st.LinearRegressor().partial_fit(Frame(X, NAMES), TARGET)
    assert model.feature_names_in_.tolist() == NAMES
    with pytest.raises(ValueError, match="another order"):
        model.partial_fit(Frame(X, NAMES[::-1]), TARGET)


def test_names_that_are_not_text_are_none():
    assert not hasattr(st.LinearRegressor().fit(Frame(X, list(range(X.shape[1]))), TARGET), "feature_names_in_")

"""Details of scikit-learn's contract: which methods there are, starts by hand, extreme numbers, errors about data."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning, NotFittedError
from sklearn.linear_model import LinearRegression

import steepest as st
from linear_models import blobs

X, TARGET, LABEL = blobs()
each_kind = pytest.mark.parametrize("make", [st.LinearRegressor, st.LogisticClassifier])


def targets(make):
    return TARGET if make is st.LinearRegressor else LABEL


def first(make):
    return {"classes": [0, 1]} if make is st.LogisticClassifier else {}


@each_kind
def test_partial_fit_is_there_where_it_can_be_called(make):
    for optimizer in ("auto", "adam", "momentum", st.Adam(), "a name that is wrong"):
        assert hasattr(make(optimizer), "partial_fit")
    assert hasattr(make, "partial_fit")
    for optimizer in ("quasi-newton", st.QuasiNewton()):
        model = make(optimizer)
        assert not hasattr(model, "partial_fit")
        with pytest.raises(AttributeError, match="has no attribute 'partial_fit'") as caught:
            model.partial_fit(X, targets(make), **first(make))
        assert "must be one that takes steps for partial_fit" in str(caught.value.__cause__)
        assert hasattr(clone(model).set_params(optimizer="adam"), "partial_fit")


def test_early_stopping_on_one_row_speaks_of_rows():
    with pytest.raises(ValueError, match=r"expected at least two with a weight, got 1 row\(s\)"):
        st.LinearRegressor(early_stopping=True).fit(X[:1], TARGET[:1])
    with pytest.raises(ValueError, match=r"expected at least two with a weight, got 1 row\(s\)"):
        st.LinearRegressor(early_stopping=True).fit(X[:3], TARGET[:3], sample_weight=[0, 1, 0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("intercept", [True, False])
def test_the_intercept_is_a_number_of_the_dtype_of_X(dtype, intercept):
    ours, theirs = (
        make(fit_intercept=intercept).fit(X.astype(dtype), TARGET) for make in (st.LinearRegressor, LinearRegression)
    )
    assert type(ours.intercept_) is dtype
    if intercept:
        assert type(theirs.intercept_) is dtype
    assert ours.predict(X.astype(dtype)).dtype == dtype


@each_kind
def test_coefficients_set_by_hand_are_a_start(make):
    y = targets(make)
    fitted = make(alpha=0.1).fit(X, y)
    start = make(alpha=0.1, warm_start=True)
    start.coef_ = fitted.coef_
    with pytest.raises(NotFittedError):
        start.predict(X)
    start.fit(X, y)  # from an intercept of 0
    np.testing.assert_allclose(start.coef_, fitted.coef_, rtol=1e-6)
    online = make(random_state=0)
    online.coef_ = [100] * X.shape[1]
    online.partial_fit(X, y, **first(make))
    assert online.n_iter_ == 1
    np.testing.assert_allclose(
        np.ravel(online.coef_), 100, rtol=0.05
    )  # a step of Adam is 0.05 targets, and there were ten


@each_kind
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("coef_", np.full(X.shape[1], np.nan), "coef_ must hold finite numbers of shape"),
        ("coef_", np.ones((3, X.shape[1])), "coef_ must hold finite numbers of shape"),
        ("coef_", ["a"] * X.shape[1], "must be arrays of numbers"),
        ("intercept_", [1.0, 2.0], r"intercept_ must hold finite numbers of shape \(1,\), to start from, got .*\(2,\)"),
        ("coef_", np.ones(2), "X must have 2 columns as in the last fit"),
    ],
    ids=["nan", "rows", "text", "intercepts", "columns"],
)
def test_a_start_that_is_none_is_named(make, name, value, message):
    for options in ({"warm_start": True}, {"optimizer": "adam"}):
        model = make(**options).fit(X, targets(make))
        setattr(model, name, value)
        with pytest.raises(ValueError, match=message):
            (model.fit if "warm_start" in options else model.partial_fit)(X, targets(make))


# Numbers near the ends of a dtype


@each_kind
@pytest.mark.parametrize("size", [1e100, 1e160, 1e300])
@pytest.mark.parametrize(
    "options", [{}, {"optimizer": "momentum", "max_iter": 20}, {"optimizer": "adam", "max_iter": 2}], ids=str
)
def test_overflows_give_no_warnings_of_numpy(make, size, options):
    y = targets(make)
    size = min(size, 1e100) if make is st.LinearRegressor else size  # squares of larger numbers overflow: an error
    data = [(X * size, y, None), (X, y, np.full(len(y), size))]
    data += [(X, y * size, None)] if make is st.LinearRegressor else []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        for each in data:
            make(**options).fit(*each)
        if "max_iter" not in options:
            make().partial_fit(X * size, y, **first(make))
            make().fit(X, y).predict(X * size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_of_huge_numbers_have_the_right_sign(dtype):
    model = st.LogisticClassifier().fit(X.astype(dtype), LABEL)
    model.coef_, model.intercept_ = np.array([[8, -8, 0, 0, 1]], dtype), np.zeros(1, dtype)
    huge = np.array([[2, 1, 0, 0, 0], [1, 2, 0, 0, 0], [1, 1, 0, 0, 1]]) * (np.finfo(dtype).max / 2)
    assert list(model.predict(huge.astype(dtype))) == [1, 0, 1]
    np.testing.assert_array_equal(model.predict_proba(huge.astype(dtype))[:, 1], [1, 0, 1])


def test_what_does_not_fit_the_dtype_is_named():
    single = X.astype(np.float32)
    with pytest.raises(ValueError, match=r"y must be within float32, the dtype of X, got .*e\+"):
        st.LinearRegressor().fit(single, TARGET * 1e100)
    with pytest.raises(ValueError, match="X_val must be within float32"):
        st.LinearRegressor().fit(single, TARGET, X_val=X * 1e100, y_val=TARGET)
    with pytest.raises(ValueError, match="X must be within float32"):
        st.LinearRegressor().fit(single, TARGET).partial_fit(X * 1e100, TARGET)
    with pytest.raises(ValueError, match="class_weight must"):
        st.LogisticClassifier(class_weight={0: 1e100, 1: 1.0}).fit(single, LABEL)


HUGE = ["alpha", "l1_ratio", "tol", "validation_fraction"]


@each_kind
@pytest.mark.parametrize("name", HUGE)
@pytest.mark.parametrize("digits", [400, 5000])
def test_integers_beyond_every_float_are_refused(make, name, digits):
    for value in (10**digits, -(10**digits)):
        with pytest.raises(ValueError, match=f"{name} must be a finite number"):
            make(**{name: value}).fit(X, targets(make))


def test_data_beyond_every_float_are_refused():
    huge = [10**400] * len(X)
    with pytest.raises(ValueError, match=r"X must hold finite numbers, got .* in row 0 of column 0"):
        st.LinearRegressor().fit([[value, 1] for value in huge], TARGET)
    with pytest.raises(ValueError, match=r"y must hold finite numbers, got .* in row 0"):
        st.LinearRegressor().fit(X, huge)
    with pytest.raises(ValueError, match="sample_weight must hold numbers within float64"):
        st.LinearRegressor().fit(X, TARGET, sample_weight=huge)
    with pytest.raises(ValueError, match="class_weight must hold numbers within float64"):
        st.LogisticClassifier(class_weight={0: 10**400, 1: 1}).fit(X, LABEL)


@pytest.mark.parametrize("value", [10**400, -(10**400), 10**5000, Fraction(10**400, 3)], ids=["+", "-", "5000", "/"])
def test_numbers_beyond_every_float_are_refused_by_all_functions(value):
    objective = st.LeastSquares(X, TARGET)
    for name, call in {
        "alpha": lambda: st.LeastSquares(X, TARGET, alpha=value),
        "l1_ratio": lambda: st.LeastSquares(X, TARGET, l1_ratio=value),
        "learning_rate": lambda: st.Adam(value),
        "epsilon": lambda: st.Adam(epsilon=value),
        "tol": lambda: st.stop.GradientNorm(value),
        "decay": lambda: st.schedules.InverseTimeDecay(0.1, decay=value),
        "max_seconds": lambda: st.minimize(objective, max_seconds=value),
    }.items():
        with pytest.raises(ValueError, match=f"{name} must be a finite number") as caught:
            call()
        assert len(str(caught.value)) < 200
    if isinstance(value, int) and value > 0:
        for name in ("max_epochs", "evaluate_every"):
            with pytest.raises(ValueError, match=f"{name} must be an integer of at least . and at most 9223372036"):
                st.minimize(objective, optimizer=st.Adam(), **{name: value})


# Errors about the data


def frame(value, column="height"):
    return pd.DataFrame({"age": np.arange(4.0), column: pd.Series([0.0, 1.0, value, 3.0], dtype=object)})


@each_kind
@pytest.mark.parametrize("method", ["fit", "partial_fit", "predict", "score"])
@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("tall", "'tall'"),
        (np.nan, "nan"),
        (None, r"None \(NoneType\)"),
        (np.inf, "inf"),
        ({}, "dict"),
        ("t" * 99, "'ttt.*[.]{3}'"),
    ],
    ids=["text", "nan", "none", "inf", "dict", "long"],
)
def test_the_column_of_what_is_no_number_is_named(make, method, value, shown):
    y = np.array([0, 1, 0, 1])
    good, bad = frame(2.0), frame(value)
    model = make("adam", max_iter=2).fit(good, y)
    arguments = (bad,) if method == "predict" else (bad, y)
    with pytest.raises((TypeError, ValueError), match=rf"X must hold finite numbers, got {shown} in row 2 of column"):
        getattr(model, method)(*arguments)
    with pytest.raises((TypeError, ValueError), match="column 'height'"):
        getattr(model, method)(*arguments)


def test_columns_of_other_tables_are_named_too():
    y = [0.0, 1.0]
    for table, message in (
        (np.array([["1", "2"], ["3", "x"]]), "'x' in row 1 of column 1;"),
        ([[1, 2], [3, "x"]], "'x' in row 1 of column 1;"),
        (pd.DataFrame({"a": [1.0, 2], "b": np.array(["u", 1.0], object)}), "'u' in row 0 of column 'b';"),
        (pd.DataFrame({"a": [1.0, 2], "b": pd.to_datetime(["2020-01-01"] * 2)}), "datetime64.* of column 'b'"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            st.LinearRegressor().fit(table, y)
    polars = pytest.importorskip("polars")
    with pytest.raises(ValueError, match=r"'v' in row 1 of column 'b'; text must be encoded .*OneHotEncoder"):
        st.LinearRegressor(categorical=None).fit(polars.DataFrame({"a": [1.0, 2.0], "b": ["1", "v"]}), y)


def test_targets_that_are_no_numbers_are_named():
    with pytest.raises(ValueError, match=r"got '(low|high)' in row 0; for classes take Logistic"):
        st.LinearRegressor().fit(X, np.where(LABEL, "high", "low"))
    with pytest.raises(ValueError, match="X_val and y_val must be like X and y: y must hold finite numbers, got 'a'"):
        st.LinearRegressor().fit(X, TARGET, X_val=X[:2], y_val=["a", "b"])


def test_the_advice_for_columns_of_labels_works():
    want = st.LogisticClassifier().fit(X, LABEL).coef_
    with pytest.warns(DataConversionWarning, match="ravel"):
        assert np.array_equal(st.LogisticClassifier().fit(X, LABEL[:, None]).coef_, want)

"""Data frames with categories: the fits of the dense columns of 0 and 1, the levels of the fit, and errors."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import OneHotEncoder

import steepest as st
from steepest.arrays.frames import is_frame

N = 400
ORIGINS = np.array(["JFK", "LGA", "EWR"])


def rows(n=N, seed=0):
    """Columns of a frame and a target that depends on all of them."""
    rng = np.random.default_rng(seed)
    columns = {
        "hours": rng.standard_normal(n),
        "origin": ORIGINS[rng.integers(0, 3, n)].tolist(),
        "size": rng.choice(["small", "large", "middle"], n).tolist(),
        "late": rng.random(n) < 0.4,
        "count": rng.integers(0, 9, n),
    }
    effect = np.where(np.array(columns["origin"]) == "LGA", 2.0, 0.0) - 1.5 * (np.array(columns["size"]) == "small")
    y = columns["hours"] + effect + columns["late"] + 0.1 * columns["count"] + rng.standard_normal(n)
    return columns, y


def pandas(columns):
    return pd.DataFrame(columns)


def pandas_categories(columns):
    frame = pd.DataFrame(columns)
    declared = pd.CategoricalDtype(["never", "small", "middle", "large"])
    return frame.astype({"origin": "category", "size": declared})


def polars(columns):
    return pytest.importorskip("polars").DataFrame(columns)


def polars_categories(columns):
    library = pytest.importorskip("polars")
    kinds = {"origin": library.Categorical, "size": library.Enum(["never", "small", "middle", "large"])}
    return library.DataFrame(columns).with_columns(*(library.col(name).cast(kind) for name, kind in kinds.items()))


def arrow(columns):
    return pytest.importorskip("pyarrow").table(columns)


def arrow_categories(columns):
    """In two chunks, whose dictionaries differ."""
    library = pytest.importorskip("pyarrow")

    def chunked(name, values):
        chunks = [library.array(part) for part in (values[:3], values[3:])]
        encoded = name in ("origin", "size")
        return library.chunked_array([chunk.dictionary_encode() if encoded else chunk for chunk in chunks])

    return library.table({name: chunked(name, column) for name, column in columns.items()})


LIBRARIES = [pandas, pandas_categories, polars, polars_categories, arrow, arrow_categories]
DECLARED = (pandas_categories, polars_categories)
each_library = pytest.mark.parametrize("library", LIBRARIES, ids=lambda each: each.__name__)


def one_hot(columns, first=0, sizes=("large", "middle", "small")):
    """The dense columns in the frame's order, written out, and their names."""
    parts, names = [], []
    for name, column in columns.items():
        levels = {"origin": ["EWR", "JFK", "LGA"], "size": list(sizes)}.get(name)
        if levels is None:
            parts.append(np.asarray(column, float)[:, None])
            names.append(name)
            continue
        parts.append(np.array([[value == level for level in levels[first:]] for value in column], float))
        names += [f"{name}={level}" for level in levels[first:]]
    return np.hstack(parts), names


@each_library
@pytest.mark.parametrize("options", [{}, {"alpha": 0.1}, {"alpha": 0.05, "l1_ratio": 0.5}, {"standardize": True}])
def test_a_regressor_fits_the_columns_of_zeros_and_ones(library, options):
    columns, y = rows()
    sizes = ("small", "middle", "large") if library in DECLARED else ("large", "middle", "small")
    dense, names = one_hot(columns, first=0 if "alpha" in options else 1, sizes=sizes)
    model, twin = st.LinearRegressor(**options).fit(library(columns), y), st.LinearRegressor(**options).fit(dense, y)
    assert list(model.get_feature_names_out()) == names
    assert list(model.feature_names_in_) == list(columns)
    assert model.n_features_in_ == 5
    np.testing.assert_allclose(model.coef_, twin.coef_, atol=1e-9)
    assert model.intercept_ == pytest.approx(twin.intercept_, abs=1e-9)
    np.testing.assert_allclose(model.predict(library(columns)), twin.predict(dense), atol=1e-9)


@each_library
@pytest.mark.parametrize("k", [2, 4])
def test_a_classifier_fits_the_columns_of_zeros_and_ones(library, k):
    columns, y = rows()
    labels = np.digitize(y, np.quantile(y, np.arange(1, k) / k))
    dense, _ = one_hot(
        columns, sizes=("small", "middle", "large") if library in DECLARED else ("large", "middle", "small")
    )
    model, twin = (st.LogisticClassifier(alpha=0.01).fit(X, labels) for X in (library(columns), dense))
    np.testing.assert_allclose(model.coef_, twin.coef_, atol=1e-8)
    np.testing.assert_allclose(model.predict_proba(library(columns)), twin.predict_proba(dense), atol=1e-9)


def test_the_coefficients_are_those_of_scikit_learn():
    """Ridge over OneHotEncoder's columns: alpha here is 2 a / n."""
    columns, y = rows()
    frame = pandas(columns)
    encoder = OneHotEncoder(sparse_output=False).fit(frame[["origin", "size"]])
    coded = encoder.transform(frame[["origin", "size"]])
    dense = np.column_stack([frame["hours"], coded, frame["late"], frame["count"]])
    wanted = Ridge(alpha=3.0).fit(dense, y)
    model = st.LinearRegressor(alpha=2 * 3.0 / N).fit(frame, y)
    np.testing.assert_allclose(model.coef_, wanted.coef_, rtol=1e-7)
    wanted_names = ["hours", *("=".join(name.split("_")) for name in encoder.get_feature_names_out()), "late", "count"]
    assert list(model.get_feature_names_out()) == wanted_names


def test_other_rows_have_the_levels_of_the_fit():
    """A part of the rows without some level, in another library and another order of the levels."""
    columns, y = rows()
    model = st.LinearRegressor().fit(pandas(columns), y)
    some = np.flatnonzero(np.array(columns["origin"]) != "EWR")[:7]
    part = {name: [column[row] for row in some] for name, column in columns.items()}
    wanted = model.predict(pandas(columns))[some]
    for library in LIBRARIES:
        np.testing.assert_array_equal(model.predict(library(part)), wanted)


@pytest.mark.parametrize("drop", ["first", None])
@pytest.mark.parametrize("unknown", ["error", "baseline", "zeros"])
def test_unknown_levels(unknown, drop):
    columns, y = rows()
    frame = pandas(columns)
    model = st.LinearRegressor(alpha=0.01, drop=drop, handle_unknown=unknown).fit(frame, y)
    names = list(model.get_feature_names_out())
    assert ("origin=EWR" in names) == (drop is None)
    strange = frame.assign(origin=["EWR", "SFO", *frame["origin"][2:]])
    if unknown == "error":
        told = r"levels of the fit in column 'origin' \('EWR', 'JFK', 'LGA'\), got 'SFO' in row 1"
        with pytest.raises(ValueError, match=told):
            model.predict(strange)
        return
    share = model.coef_[names.index("origin=EWR")] if drop is None and unknown == "baseline" else 0.0
    rest = frame.assign(origin="EWR")
    wanted = model.predict(rest)[1] - (model.coef_[names.index("origin=EWR")] if drop is None else 0.0) + share
    assert model.predict(strange)[1] == pytest.approx(wanted, abs=1e-12)
    assert model.predict(strange)[0] == model.predict(rest)[0]


@pytest.mark.parametrize("library", LIBRARIES)
def test_missing_levels(library):
    columns, y = rows()
    columns["size"] = [None if row % 5 == 2 else value for row, value in enumerate(columns["size"])]
    frame = library(columns)
    told = "no missing values, got one in row 2 of column 'size'; handle_missing=\"level\" makes"
    with pytest.raises(ValueError, match=told):
        st.LinearRegressor().fit(frame, y)
    model = st.LinearRegressor(handle_missing="level").fit(frame, y)
    assert model.get_feature_names_out()[5] == "size=(missing)"
    filled = {**columns, "size": ["~" if value is None else value for value in columns["size"]]}  # sorted last
    wanted = st.LinearRegressor().fit(pandas(filled), y)
    order = [list(wanted.get_feature_names_out()).index(str(name).replace("(missing)", "~"))
             for name in model.get_feature_names_out() if library not in DECLARED]  # fmt: skip
    if order:
        np.testing.assert_allclose(model.coef_, wanted.coef_[order], atol=1e-9)
    np.testing.assert_allclose(model.predict(frame), wanted.predict(pandas(filled)), atol=1e-9)


def test_a_missing_level_that_the_fit_did_not_see_is_unknown():
    columns, y = rows()
    model = st.LinearRegressor(handle_missing="level").fit(pandas(columns), y)
    gone = pandas({**columns, "size": [None, *columns["size"][1:]]})
    with pytest.raises(ValueError, match=r"column 'size' .*got '\(missing\)' in row 0"):
        model.predict(gone)
    model.handle_unknown = "baseline"
    assert model.predict(gone)[0] == model.predict(pandas({**columns, "size": ["large", *columns["size"][1:]]}))[0]


def test_named_columns_are_categories():
    columns, y = rows()
    frame = pandas(columns)
    model = st.LinearRegressor(categorical=["origin", "size", "count"]).fit(frame, y)
    assert [str(name) for name in model.get_feature_names_out()[-8:]] == [f"count={number}" for number in range(1, 9)]
    for wrong, error, told in (
        (["dest"], ValueError, r"categorical must name columns of X \('hours', .*\), got 'dest'"),
        ("all", TypeError, "categorical must be \"auto\" or names of columns, got 'all'"),
    ):
        with pytest.raises(error, match=told):
            st.LinearRegressor(categorical=wrong).fit(frame, y)
    with pytest.raises(TypeError, match=r"X must be a data frame with categorical=\['a'\], got ndarray"):
        st.LinearRegressor(categorical=["a"]).fit(np.ones((3, 1)), [0, 1, 2])
    with pytest.raises((TypeError, ValueError), match=r"got '(LGA|JFK|EWR)' in row 0 of column 'origin'; text must be"):
        st.LinearRegressor(categorical=None).fit(frame, y)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"drop": "last"}, "drop must be 'auto', 'first' or None, got 'last'"),
        ({"handle_missing": "ignore"}, "handle_missing must be 'error' or 'level', got 'ignore'"),
        ({"handle_unknown": "ignore"}, "handle_unknown must be 'error', 'baseline' or 'zeros', got 'ignore'"),
    ],
)
def test_wrong_parameters_are_named(options, told):
    columns, y = rows()
    model = st.LinearRegressor(**options)
    with pytest.raises(ValueError, match=told):
        model.fit(pandas(columns), y)
    assert not hasattr(model, "coef_")


def test_columns_that_cannot_be_used_are_named():
    columns, y = rows()
    frame = pandas(columns)
    for change, error, told in (
        ({"hours": [np.nan, *columns["hours"][1:]]}, ValueError, "finite numbers, got nan in row 0 of column 'hours'"),
        ({"count": pd.to_datetime(["2020-01-01"] * N)}, TypeError, "got datetime64.* in column 'count'"),
        ({"count": [(1, 2)] * N}, TypeError, "numbers, text and categories, got object in column 'count'"),
        ({"size": ["a", 1] * (N // 2)}, TypeError, "numbers, text and categories, got object in column 'size'"),
    ):
        with pytest.raises(error, match=told):
            st.LinearRegressor().fit(frame.assign(**change), y)
    model = st.LinearRegressor().fit(frame, y)
    with pytest.raises(ValueError, match="got none of the name 'size'"):
        model.predict(frame.drop(columns="size"))
    with pytest.raises(TypeError, match="X must be a data frame with the columns of the fit, got ndarray"):
        model.predict(np.ones((2, 5)))
    with pytest.raises(TypeError, match="X must hold numbers in column 'hours', as in the fit, got text"):
        model.predict(frame.assign(hours="early"))
    assert model.predict(frame).shape == (N,)


def test_text_that_is_all_numbers_is_warned_of():
    columns, y = rows()
    frame = pandas({**columns, "price": [f"{row % 37}.5" for row in range(N)]})
    with pytest.warns(UserWarning, match="column 'price' of X is text, though its 37 levels are numbers such as '0.5'"):
        st.LinearRegressor().fit(frame, y)
    st.LinearRegressor(categorical=["price", "origin", "size"]).fit(frame, y)
    st.LinearRegressor().fit(frame.astype({"price": "category"}), y)


class OwnFrame(pd.DataFrame):
    """A class made from pandas' own."""


def test_frames_of_other_kinds():
    columns, y = rows()
    model = st.LinearRegressor().fit(OwnFrame(columns), y)
    np.testing.assert_array_equal(model.predict(pandas(columns)), model.predict(OwnFrame(columns)))
    backed = pandas(columns).convert_dtypes(dtype_backend="pyarrow")
    np.testing.assert_allclose(st.LinearRegressor().fit(backed, y).coef_, model.coef_, atol=1e-9)
    twice = pd.DataFrame(np.random.default_rng(0).standard_normal((N, 2)), columns=["a", "a"])
    with pytest.raises(ValueError, match="different names, got two of the name 'a'"):
        st.LinearRegressor().fit(twice.assign(b="text"), y)
    assert not is_frame(polars(columns).lazy())


def test_rows_at_hand_or_held_out():
    columns, y = rows()
    frame, labels = pandas(columns), y > 1
    model = st.LogisticClassifier(alpha=1e-3, early_stopping=True, random_state=0, class_weight="balanced")
    model.fit(frame, labels, sample_weight=np.linspace(0.5, 1, N), X_val=frame[:50], y_val=labels[:50])
    assert "validation_loss" in model.history_
    held = st.LogisticClassifier(alpha=1e-3, early_stopping=True, random_state=0).fit(frame, labels)
    assert held.score(frame, labels) > 0.7


def test_batches_and_further_rows():
    columns, y = rows()
    frame, (dense, _) = pandas(columns), one_hot(columns)
    options = {"alpha": 0.01, "batch_size": 32, "max_iter": 4, "random_state": 0}
    own, twin = (st.LogisticClassifier("adam", **options).fit(X, y > 1) for X in (frame, dense))
    np.testing.assert_allclose(own.coef_, twin.coef_, rtol=1e-9)
    for model, X in ((own, frame), (twin, dense)):
        model.partial_fit(X[:100], (y > 1)[:100])
    np.testing.assert_allclose(own.coef_, twin.coef_, rtol=1e-9)


def test_warm_starts_copies_and_pickles():
    columns, y = rows()
    frame = pandas(columns)
    model = st.LinearRegressor(alpha=0.01, warm_start=True).fit(frame, y)
    before = model.coef_
    np.testing.assert_allclose(model.fit(frame, y).coef_, before, atol=1e-9)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(again.predict(frame), model.predict(frame))
        assert list(again.get_feature_names_out()) == list(model.get_feature_names_out())
    fresh = clone(model)
    assert not hasattr(fresh, "coef_")
    assert cross_val_score(fresh, frame, y).mean() > 0.5


def test_another_fit_forgets_the_levels():
    columns, y = rows()
    model = st.LinearRegressor().fit(pandas(columns), y)
    numbers = np.column_stack([columns["hours"], columns["count"]])
    model.fit(numbers, y)
    assert list(model.get_feature_names_out()) == ["x0", "x1"]
    assert model.predict(numbers).shape == (N,)
    with pytest.raises((TypeError, ValueError)):
        model.fit(pandas({**columns, "hours": [np.nan] * N}), y)
    assert model.predict(numbers).shape == (N,)  # an error leaves the fit as it was


def test_a_table_of_ones_own():
    columns, y = rows()
    table = st.Table.from_frame(pandas(columns), baseline=None)
    model = st.LinearRegressor(alpha=0.1).fit(table, y)
    np.testing.assert_array_equal(model.coef_, st.LinearRegressor(alpha=0.1).fit(pandas(columns), y).coef_)
    assert list(model.get_feature_names_out()) == table.names
    np.testing.assert_allclose(model.predict(table.encode(pandas(columns)[:5])), model.predict(table)[:5])
    with pytest.raises(ValueError, match="X has 7 features, but LinearRegressor is expecting 9 features"):
        model.predict(st.Table.from_frame(pandas(columns)))


def test_columns_in_extreme_units_and_far_from_zero():
    """Dates as days and tiny numbers beside categories: the fit of the dense columns."""
    columns, y = rows()
    columns = {**columns, "day": 738_000.0 + np.arange(N) % 31, "tiny": 1e-30 * np.asarray(columns["count"])}
    dense, _ = one_hot(columns, first=1)
    del columns["count"]
    dense = np.delete(dense, 6, axis=1)
    own, twin = st.LinearRegressor().fit(pandas(columns), y), st.LinearRegressor().fit(dense, y)
    np.testing.assert_allclose(own.predict(pandas(columns)), twin.predict(dense), atol=1e-6)


def test_a_file_of_a_model_cannot_hold_the_levels(tmp_path):
    columns, y = rows()
    model = st.LinearRegressor().fit(pandas(columns), y)
    with pytest.raises(TypeError, match="fitted to a data frame with categories"):
        st.save_model(model, tmp_path / "model.json")


def test_complex_columns_beside_text_are_refused():
    frame = pd.DataFrame({"a": [1j, 2, 3, 4], "b": list("abab")})
    with pytest.raises(TypeError, match="got complex128 in column 'a'"):
        st.LinearRegressor(alpha=1.0).fit(frame, np.arange(4.0))


def test_numbers_of_a_table_are_looked_at_in_fits_and_predictions():
    codes, y = st.Categorical(np.array([0, 1, 0, 1], np.int8), ["a", "b"]), np.arange(4.0)
    wrong = st.Table(np.array([1.0, 2.0, np.nan, 4.0]), codes, names=[["size"], "kind"])
    rows = st.Table(np.arange(4.0), codes, names=[["size"], "kind"])
    model = st.LinearRegressor(alpha=0.1).fit(rows, y)
    for call in (lambda: st.LinearRegressor(alpha=0.1).fit(wrong, y), lambda: model.predict(wrong)):
        with pytest.raises(ValueError, match="finite numbers, got nan in row 2 of column 'size'"):
            call()
    sparse_rows = scipy.sparse.csr_array(np.array([[0.0, 1], [0, 0], [np.inf, 0], [2, 0]]))
    with pytest.raises(ValueError, match="finite numbers, got inf in row 2 of column 'x0'"):
        st.LinearRegressor(alpha=0.1).fit(st.Table(sparse_rows, codes), y)


def test_a_prediction_whose_terms_overflow():
    """Two terms are infinite, of both signs, and cancel. What is left is too small beside them to count."""
    X = st.Table(np.full((3, 2), 2.0**500), st.Categorical(np.zeros(3, np.int8), ["a"]))
    model = st.LinearRegressor(alpha=0.1).fit(st.Table(np.ones((3, 2)), X.groups[1]), np.ones(3))
    model.coef_, model.intercept_ = np.array([2.0**600, -(2.0**600), 1.0]), 0.5
    found = model.predict(X)
    assert np.all(np.abs(found - 1.0) <= 1.0)

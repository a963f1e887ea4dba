"""Problems made of tables, and the saved model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import steepest as st
from steepest.cli.columns import Column
from steepest.cli.encoding import TableEncoder
from steepest.cli.model import Record, pipeline, predictions
from steepest.cli.problem import FitOptions, Problem, pose
from steepest.cli.tables import OptionError, Table, TableError

FRAME = pd.DataFrame(
    {"size": [1.5, 2.0, 4.0, 3.0], "colour": ["red", "blue", "red", "green"], "old": [True, False] * 2}
)


def problem(frame: pd.DataFrame, **options: Any) -> Problem:
    return pose(Table(frame), FitOptions(**{"loss": "logistic", "target": "y", **options}))


def test_statistics_come_from_the_training_rows_and_levels_from_all() -> None:
    values = np.random.default_rng(0).normal(size=100)
    frame = pd.DataFrame({"a": np.where(values > 1, np.nan, values), "y": [0, 1] * 50})
    made = problem(frame, test_fraction=0.3, missing="mean")
    assert made.test is not None
    assert (len(made.training.y), len(made.test.y)) == (70, 30)
    filled = made.encoder.columns_[0].fill
    known = made.training.X[made.training.X[:, 0] != filled]
    np.testing.assert_allclose(known.mean(), filled)  # the mean of the rows that the fit uses, not of all
    rare = frame.assign(a=values, b=["x"] * 99 + ["y"])
    assert made.test is not None
    (level,) = [column.levels for column in problem(rare, test_fraction=0.3).encoder.columns_ if column.levels]
    assert level == ("x", "y")  # a level that only held-out rows may have is a level all the same


def test_problems_that_cannot_be_posed() -> None:
    with pytest.raises(OptionError, match="no column is left besides the target 'y'"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), drop=("a",))
    with pytest.raises(TableError, match="no column 'z'"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), drop=("z",))
    with pytest.raises(TableError, match="2 rows are too few to hold out"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), test_fraction=0.5)
    with pytest.raises(TableError, match=r"a column has missing values in 2 rows: 'y' \(1\)"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, None]}))
    with pytest.raises(OptionError, match="--patience needs rows that choose the epoch"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), patience=2, validation_fraction=0.0)


def made_of(
    columns: list[Column], coefficients: Any, intercept: Any, target: str | None = "y", classes: Any = None
) -> Any:
    estimator = st.LinearRegressor() if classes is None else st.LogisticClassifier()
    estimator.coef_, estimator.intercept_ = np.array(coefficients), np.array(intercept)
    estimator.n_features_in_ = estimator.coef_.shape[-1]
    loss = "least-squares"
    if classes is not None:
        estimator.classes_, loss = np.array(classes), "logistic" if len(classes) == 2 else "softmax"
    return pipeline(TableEncoder.of_columns(columns), estimator, Record(target, loss))


SIZE, COLOUR = Column("size", "number"), Column("colour", "category", ("blue", "green", "red"))
MODEL = made_of([SIZE, COLOUR], [[1 / 3, -2.0, 1e-300]], [-0.1], "late", ["no", "yes"])
LINE = made_of([Column("a", "number")], [2.0], 1.0)


def test_a_model_round_trips_bit_for_bit(tmp_path: Path) -> None:
    date = Column("day", "date", format="ISO8601", origin="2013-01-01", parts=(Column("day.elapsed", "number"),))
    filled = Column("weight", "number", fill=1 / 7, flagged=True)
    ordered = Column("step", "category", ("low", "high", "(missing)"), ordered=True)
    several = made_of([date, filled, ordered], np.arange(15.0).reshape(3, 5) / 7, [0.1, 0.2, -0.3], None, [2, 5, 9])
    for number, model in enumerate((MODEL, LINE, several)):
        path, again = tmp_path / f"{number}.json", tmp_path / f"{number}-again.json"
        st.save_model(model, path)
        loaded = st.load_model(path)
        st.save_model(loaded, again)
        assert again.read_text() == path.read_text()
        assert loaded["columns"].columns_ == model["columns"].columns_
        np.testing.assert_array_equal(loaded["model"].coef_, model["model"].coef_)
        np.testing.assert_array_equal(loaded["model"].intercept_, model["model"].intercept_)


def assert_alike(found: Any, expected: Any) -> None:
    """Equal labels, or numbers that differ by the rounding of products in another order of memory only."""
    if expected.dtype.kind == "f":
        np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-14)
    else:
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("names", [None, ["size", "weight"]])
def test_an_estimator_of_a_user_is_saved_and_predicts_the_same(tmp_path: Path, names: list[str] | None) -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    data = X if names is None else pd.DataFrame(X, columns=names)
    for y in (X[:, 0] + 1, np.where(X[:, 0] > 0, "b", "a"), np.digitize(X[:, 0], [-0.5, 0.5])):
        kind = st.LinearRegressor if y.dtype.kind == "f" else st.LogisticClassifier
        estimator = kind().fit(data, y)
        st.save_model(estimator, tmp_path / "model.json")
        again = st.load_model(tmp_path / "model.json")
        assert_alike(again.predict(data), estimator.predict(data))
        if kind is st.LogisticClassifier:
            np.testing.assert_allclose(again.predict_proba(data), estimator.predict_proba(data), rtol=1e-14)
        for frame in (pl.DataFrame(X, schema=names or ["0", "1"]), pa.table(list(X.T), names=names or ["0", "1"])):
            assert_alike(again.predict(frame), estimator.predict(data))
        assert_alike(again.predict(X), estimator.predict(data))


def test_a_loaded_pipeline_can_be_fitted_again(tmp_path: Path) -> None:
    st.save_model(MODEL, tmp_path / "model.json")
    model = st.load_model(tmp_path / "model.json")
    model.fit(FRAME, ["no", "yes", "yes", "yes"])
    assert list(model["columns"].feature_names_in_) == ["size", "colour", "old"]
    st.save_model(model, tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text())["target"] is None  # what was said of the old fit is gone


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (
            st.LogisticClassifier().fit([[1.0], [2.0]], np.array(["2020-01-01", "2020-01-02"], "M8[D]")),
            TypeError,
            "estimator must have classes that are text, numbers or booleans, got datetime",
        ),
        (st.LinearRegressor(), ValueError, "estimator must be fitted before it can be saved"),
        (
            "model",
            TypeError,
            "estimator must be a LinearRegressor, a LogisticClassifier, or a pipeline that load_model",
        ),
    ],
)
def test_what_cannot_be_saved(tmp_path: Path, model: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        st.save_model(model, tmp_path / "model.json")
    assert not list(tmp_path.iterdir())


def test_arrays_of_another_width_are_refused(tmp_path: Path) -> None:
    st.save_model(st.LinearRegressor().fit(np.eye(3), [1.0, 2.0, 3.0]), tmp_path / "model.json")
    with pytest.raises(TableError, match="X must have 3 columns, or the names 0, 1, 2, got 4"):
        st.load_model(tmp_path / "model.json").predict(np.eye(4))


def test_predictions() -> None:
    columns = predictions(MODEL, Table(FRAME))
    z = FRAME["size"] / 3 - 0.1 + np.array([0, 0, 0, -2])
    np.testing.assert_allclose(columns["probability_yes"], 1 / (1 + np.exp(-z)), rtol=1e-14)
    np.testing.assert_allclose(columns["probability_no"], 1 / (1 + np.exp(z)), rtol=1e-14)
    assert list(columns) == ["class", "probability_no", "probability_yes"]
    assert columns["class"].tolist() == ["yes", "yes", "yes", "no"]


def test_the_probability_of_an_extreme_score_does_not_overflow() -> None:
    model = made_of([Column("a", "number")], [[1.0]], [0.0], "y", [0, 1])
    probability = predictions(model, Table(pd.DataFrame({"a": [-1e4, -700.0, 0.0, 1e4]})))["probability_1"]
    np.testing.assert_allclose(probability, [0, np.exp(-700), 0.5, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "hinge"}, "'loss' has a value that no model of steepest has: \"hinge\""),
        ({"classes": [1]}, "'classes' has a value that no model of steepest has"),
        ({"columns": "a"}, "'columns' has a value"),
        ({"columns": [{**SIZE.content(), "fill": "1"}, COLOUR.content()]}, "'columns' has a value"),
        ({"columns": [SIZE.content(), {**COLOUR.content(), "levels": [1]}]}, "'columns' has a value"),
        ({"columns": [SIZE.content(), {**COLOUR.content(), "kind": "text"}]}, "'columns' has a value"),
        ({"columns": [SIZE.content(), {**COLOUR.content(), "more": 1}]}, "'columns' has a value"),
        ({"coefficients": {"size": "big"}}, "'coefficients' has a value"),
        ({"coefficients": {"size": 1}}, "'coefficients' has no entry for 'colour=green'"),
        ({"intercept": None}, "'intercept' has a value"),
        ({"intercept": 10**400}, "'intercept' has a value"),
        ({"classes": ["\ud800", "x"]}, "model.json is not a model of steepest"),
        ({"coefficients": {"size": True, "colour=green": 1, "colour=red": 1}}, "'coefficients' has a value"),
        ({"coefficients": {"size": 10**400, "colour=green": 1, "colour=red": 1}}, "'coefficients' has a value"),
        ({"coefficients": {"size": 1, "colour=green": 1, "colour=red": 1, "x": 1}}, "has 'x', which is not a feature"),
        ({"classes": [1, 1]}, "'classes' has a value"),
        ({"classes": [1, True]}, "'classes' has a value"),
        ({"classes": [1, "1"]}, "'classes' has a value"),
        ({"classes": [0, 10**400]}, "'classes' has a value"),
        ({"classes": [[0], [1]]}, "'classes' has a value"),
        ({"classes": None}, "'classes' null contradicts the loss 'logistic'"),
        ({"loss": "least-squares"}, "contradicts the loss 'least-squares'"),
        ({"columns": []}, "'columns' has a value"),
        ({"columns": [SIZE.content()] * 2 + [COLOUR.content()]}, "'columns' has a column twice"),
        ({"target": "size"}, "the target 'size' is one of 'columns' too"),
        ({"columns": [SIZE.content(), {**COLOUR.content(), "levels": []}]}, "'columns' has a value"),
        ({"columns": [SIZE.content(), {**COLOUR.content(), "levels": ["red"] * 2}]}, "'columns' has a value"),
        ({"coefficients": {"size": 1, "colour=green": [1, 2], "colour=red": 1}}, "must have 1 number for each"),
        ({"intercept": [1, 2]}, "'intercept' must have 1 number"),
        ({"standard_errors": {"size": 1}}, "'standard_errors' has no entry for 'colour=green'"),
        ({"classes": ["a", "b", "c"]}, "contradicts the loss 'logistic'"),
        ({"format": 3}, "model.json has the format 3, and this steepest .* reads formats up to 2: update"),
        ({"format": 2}, "'numbered' must be an object with coefficients, deviations, first"),
        ({"numbered": {}}, "it has 'numbered', which no model of steepest .* has"),
        ({"format": True}, "'format' has a value"),
        ({"missing": "guess"}, "'missing' has a value"),
        ({"version": "999.1.dev3"}, "was written by steepest 999.1.dev3, newer than this"),
        ({"version": "new"}, "'version' has a value"),
        ({"interactions": []}, "it has 'interactions', which no model of steepest .* has"),
    ],
)
def test_a_model_that_was_tampered_with(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.json"
    st.save_model(MODEL, path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(TableError, match=message):
        st.load_model(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a model of steepest: Expecting"),
        ("[]", "is not a model of steepest: expected an object, got list"),
        ("{}", "is not a model of steepest: it has no 'format'"),
        ('{"categories": {}, "coefficients": {}}', "was written before model files had a format: fit the model again"),
        ('{"intercept": NaN}', "is not a model of steepest: NaN is not a JSON number"),
        ('{"intercept": -Infinity}', "is not a model of steepest: -Infinity is not a JSON number"),
        ('{"loss": "logistic", "target": "y", "loss": "least-squares"}', "it has 'loss' twice"),
        ("[" * 100_000, "is not a model of steepest"),
        ('{"loss": ' + "[" * 900 + "]" * 900 + "}", "is not a model|'loss' has a value"),
        ('{"intercept": 1' + "0" * 5000 + "}", "is not a model of steepest"),
    ],
)
def test_a_file_that_is_no_model(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(TableError, match=message):
        st.load_model(tmp_path / "model.json")
    with pytest.raises(FileNotFoundError, match=r"none.json: no such file"):
        st.load_model(tmp_path / "none.json")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "1" + "0" * 400, "1" + "0" * 5000])
@pytest.mark.parametrize("name", ["intercept", "coefficients"])
def test_numbers_that_are_none(tmp_path: Path, number: str, name: str) -> None:
    path = tmp_path / "model.json"
    st.save_model(MODEL, path)
    text = path.read_text().replace("-0.1" if name == "intercept" else "-2.0", number)
    path.write_text(text)
    with pytest.raises(TableError, match=r"model\.json") as error:
        st.load_model(path)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match=r"model\.json is not a model of steepest"):
        st.load_model(tmp_path / "model.json")


def test_a_model_with_a_number_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    model = made_of([Column("a", "number")], [np.inf], 0.0)
    with pytest.raises(TableError, match="the model cannot be saved: the coefficient of 'a' is inf"):
        st.save_model(model, tmp_path / "model.json")
    assert not (tmp_path / "model.json").exists()


def test_a_prediction_that_overflows_names_its_row() -> None:
    model = made_of([Column("a", "number")], [1e200], 0.0)
    with pytest.raises(TableError, match="the prediction of row 2 overflows"):
        predictions(model, Table(pd.DataFrame({"a": [1.0, 1e200]})))

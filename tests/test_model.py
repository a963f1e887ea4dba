"""Problems made of tables, and the saved model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steepest.cli.fitting import FitOptions, OptionError, Problem
from steepest.cli.model_file import Model
from steepest.cli.tables import Table, TableError

FRAME = pd.DataFrame(
    {"size": [1.5, 2.0, 4.0, 3.0], "colour": ["red", "blue", "red", "green"], "old": [True, False] * 2}
)


def problem(frame: pd.DataFrame, **options: Any) -> Problem:
    return Problem(Table(frame), FitOptions(**{"loss": "logistic", "target": "y", **options}))


def test_statistics_come_from_the_training_rows_and_levels_from_all() -> None:
    frame = pd.DataFrame({"a": np.arange(100.0), "y": [0, 1] * 50})
    made = problem(frame, validation_fraction=0.3)
    assert made.held_out is not None
    assert (len(made.training.y), len(made.held_out.y)) == (70, 30)
    np.testing.assert_allclose(made.training.X.mean(), 0, atol=1e-12)
    assert abs(made.held_out.X.mean()) > 1e-3
    rare = frame.assign(b=[f"{i}" for i in range(100)])
    made = problem(rare)  # a level that only held-out rows have is a level all the same
    assert len(made.encoder.categories["b"]) == 100


def test_problems_that_cannot_be_posed() -> None:
    with pytest.raises(OptionError, match="no column is left besides the target 'y'"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), drop=("a",))
    with pytest.raises(TableError, match="no column 'z'"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), drop=("z",))
    with pytest.raises(TableError, match="column 'y' has 1 class"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, 1]}), validation_fraction=0.5)
    with pytest.raises(TableError, match="column 'y' has 1 missing values"):
        problem(pd.DataFrame({"a": [1, 2], "y": [0, None]}))


@pytest.mark.parametrize("loss", ["logistic", "least-squares"])
def test_a_model_predicts_in_the_units_of_its_table(loss: str) -> None:
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"a": rng.normal(50, 9, 40), "c": rng.choice(list("xyz"), 40), "y": [0, 1] * 20})
    made = problem(frame, loss=loss, validation_fraction=0)
    w = rng.normal(size=4)
    z = made.training.X @ w[:3] + w[3]
    expected = z if loss == "logistic" else z * frame["y"].std(ddof=0) + frame["y"].mean()
    np.testing.assert_allclose(made.model(w).decision(Table(frame)), expected, rtol=1e-10, atol=1e-10)


MODEL = Model(
    loss="logistic",
    target="late",
    classes=["no", "yes"],
    columns=["size", "colour"],
    categories={"colour": ["blue", "green", "red"]},
    coefficients={"size": 1 / 3, "colour=green": -2.0, "colour=red": 1e-300},
    intercept=-0.1,
    sparse=False,
    version="0",
)


def test_a_model_round_trips_bit_for_bit(tmp_path: Path) -> None:
    MODEL.save(tmp_path / "model.json")
    assert Model.load(tmp_path / "model.json") == MODEL


def test_predictions() -> None:
    columns = MODEL.predict(Table(FRAME))
    z = FRAME["size"] / 3 - 0.1 + np.array([0, 0, 0, -2])
    np.testing.assert_allclose(columns["probability"], 1 / (1 + np.exp(-z)), rtol=1e-14)
    assert columns["class"].tolist() == ["yes", "yes", "yes", "no"]


def test_the_probability_of_an_extreme_score_does_not_overflow() -> None:
    model = Model("logistic", "y", [0, 1], ["a"], {}, {"a": 1.0}, 0.0, False, "0")
    probability = model.predict(Table(pd.DataFrame({"a": [-1e4, -700.0, 0.0, 1e4]})))["probability"]
    np.testing.assert_allclose(probability, [0, np.exp(-700), 0.5, 1], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": "hinge"}, "'loss' has a value that no model of steepest has: \"hinge\""),
        ({"classes": [1]}, "'classes' has a value that no model of steepest has"),
        ({"columns": "a"}, "'columns' has a value"),
        ({"categories": {"colour": [1]}}, "'categories' has a value"),
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
        ({"columns": ["size", "size", "colour"]}, "'columns' has a value"),
        ({"columns": ["size", "colour", "late"]}, "the target 'late' is one of 'columns' too"),
        ({"categories": {"shape": ["a", "b"]}}, "'categories' has 'shape', which is not one of 'columns'"),
        ({"categories": {"colour": []}}, "'categories' has a value"),
        ({"categories": {"colour": ["red", "red"]}}, "'categories' has a value"),
        ({"version": "999.1.dev3"}, "was written by steepest 999.1.dev3, newer than this"),
        ({"version": "new"}, "'version' has a value"),
        ({"interactions": []}, "it has 'interactions', which no model of steepest .* has"),
    ],
)
def test_a_model_that_was_tampered_with(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "model.json"
    MODEL.save(path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(TableError, match=message):
        Model.load(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is not a model of steepest: Expecting"),
        ("[]", "is not a model of steepest: expected an object, got list"),
        ("{}", "is not a model of steepest: it has no 'loss'"),
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
        Model.load(tmp_path / "model.json")
    with pytest.raises(FileNotFoundError, match=r"none.json: no such file"):
        Model.load(tmp_path / "none.json")


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", "1" + "0" * 400, "1" + "0" * 5000])
@pytest.mark.parametrize("name", ["intercept", "coefficients"])
def test_numbers_that_are_none(tmp_path: Path, number: str, name: str) -> None:
    path = tmp_path / "model.json"
    MODEL.save(path)
    text = path.read_text().replace("-0.1" if name == "intercept" else "-2.0", number)
    path.write_text(text)
    with pytest.raises(TableError, match=r"model\.json") as error:
        Model.load(path)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TableError, match=r"model\.json is not a model of steepest"):
        Model.load(tmp_path / "model.json")


def test_a_model_with_a_number_that_is_not_finite_is_not_saved(tmp_path: Path) -> None:
    model = Model("least-squares", "y", None, ["a"], {}, {"a": float("inf")}, 0.0, False, "0")
    with pytest.raises(TableError, match="the model cannot be saved: the coefficient of 'a' is inf"):
        model.save(tmp_path / "model.json")
    assert not (tmp_path / "model.json").exists()


def test_a_prediction_that_overflows_names_its_row() -> None:
    model = Model("least-squares", "y", None, ["a"], {}, {"a": 1e200}, 0.0, False, "0")
    with pytest.raises(TableError, match="the prediction of row 1 overflows"):
        model.predict(Table(pd.DataFrame({"a": [1.0, 1e200]})))

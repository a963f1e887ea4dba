"""Problems made of tables, and the saved model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steepest.data import Table, TableError
from steepest.fitting import FitOptions, OptionError, Problem
from steepest.model import Model

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
    with pytest.raises(OptionError, match="no column is left beside the target 'y'"):
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
        ({"loss": "hinge"}, "'loss' is not what a model of steepest holds: \"hinge\""),
        ({"classes": [1]}, "'classes' is not what a model of steepest holds"),
        ({"columns": "a"}, "'columns' is not what"),
        ({"categories": {"colour": [1]}}, "'categories' is not what"),
        ({"coefficients": {"size": "big"}}, "'coefficients' is not what"),
        ({"coefficients": {"size": 1}}, "'coefficients' has none for 'colour=green'"),
        ({"intercept": None}, "'intercept' is not what"),
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
    ],
)
def test_a_file_that_is_no_model(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "model.json").write_text(text)
    with pytest.raises(TableError, match=message):
        Model.load(tmp_path / "model.json")
    with pytest.raises(FileNotFoundError, match=r"none.json: no such file"):
        Model.load(tmp_path / "none.json")

"""Columns as numbers: kinds of columns, encoding, targets, splitting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steepest.cli.encoding import TableEncoder, check_complete
from steepest.cli.kinds import MAX_LEVELS, decide
from steepest.cli.splitting import split_rows
from steepest.cli.tables import TableError
from steepest.cli.targets import Target

FRAME = pd.DataFrame(
    {"size": [1.5, 2.0, 4.0, 3.0], "colour": ["red", "blue", "red", "green"], "old": [True, False] * 2}
)


def fitted(frame: pd.DataFrame, **parameters: Any) -> TableEncoder:
    return TableEncoder(**parameters).fit(frame)


def test_encoding() -> None:
    encoder = fitted(FRAME)
    assert [column.levels for column in encoder.columns_] == [(), ("blue", "green", "red"), ("False", "True")]
    assert encoder.get_feature_names_out().tolist() == ["size", "colour=green", "colour=red", "old=True"]
    X = encoder.transform(FRAME)
    assert X.tolist() == [[1.5, 0, 1, 1], [2, 0, 0, 0], [4, 0, 1, 1], [3, 1, 0, 0]]
    assert X.dtype == np.float64
    assert X.flags.c_contiguous


def test_the_encoding_agrees_with_pandas() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice(list("xyzw"), 50), "b": rng.normal(size=50), "c": rng.choice(["p", "q"], 50)})
    expected = pd.get_dummies(frame, columns=["a", "c"], prefix_sep="=", drop_first=True)
    encoder = fitted(frame)
    features = encoder.get_feature_names_out().tolist()
    np.testing.assert_array_equal(encoder.transform(frame), expected[features].to_numpy(dtype=float))


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_every_kind_of_text_column_is_a_category(kind: str) -> None:
    column = pd.DataFrame({"a": pd.Series(["x", "y", "x"], dtype=kind)})
    assert fitted(column).transform(column).tolist() == [[0], [1], [0]]


def test_levels_that_look_like_numbers_are_found_again() -> None:
    encoder = fitted(pd.DataFrame({"a": pd.Series([3, 5, 3]).astype("category")}))
    for values in ([5, 3], ["5", "3"], [5.0, 3.0]):
        assert encoder.transform(pd.DataFrame({"a": values})).tolist() == [[1], [0]]


def test_ordered_categories_keep_their_order() -> None:
    order = pd.CategoricalDtype(["small", "middle", "large", "unseen"], ordered=True)
    (column,) = fitted(pd.DataFrame({"a": pd.Series(["large", "small", "middle"], dtype=order)})).columns_
    assert (column.levels, column.ordered) == (("small", "middle", "large"), True)
    unordered = pd.CategoricalDtype(["small", "middle", "large"])
    (column,) = fitted(pd.DataFrame({"a": pd.Series(["large", "small", "middle"], dtype=unordered)})).columns_
    assert (column.levels, column.ordered) == (("large", "middle", "small"), False)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["red", "pink"], r"column 'colour', row 2: level 'pink' is not one that the model knows \(blue, green, red\)"),
        (["red", None], "column 'colour': row 2 has no value, and the fit had none; --unknown baseline"),
    ],
)
def test_a_level_that_cannot_be_encoded(column: list[Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        fitted(FRAME[["colour"]]).transform(pd.DataFrame({"colour": column}))


def test_an_unknown_level_can_be_taken_for_the_baseline() -> None:
    encoder = fitted(FRAME[["colour"]], unknown="baseline")
    assert encoder.transform(pd.DataFrame({"colour": ["red", "pink", None]})).tolist() == [[0, 1], [0, 0], [0, 0]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["2", "big"], "column 'size' holds text such as 'big' in row 2; expected numbers"),
        ([1.0, np.inf], "column 'size' has values that are not finite in float64, the first in row 2"),
        ([1.0, np.nan], "column 'size': row 2 has no value"),
        ([np.nan, 1.0, np.nan], "column 'size': 2 rows have no value, first row 1"),
    ],
)
def test_a_number_that_cannot_be_used(column: list[Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        fitted(FRAME[["size"]]).transform(pd.DataFrame({"size": column}))


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.to_timedelta(["1 day", "2 days"]), "column 'a' is of type timedelta64"),
        (np.array([1j, 2j]), "column 'a' is of type complex128"),
        ([f"id{i}" for i in range(MAX_LEVELS + 1)] * 2, "column 'a' has 100,001 levels; expected at most 100,000"),
        ([None, None], "column 'a' has no values: no feature is left to fit"),
        ([3, 3], "column 'a' has only one value, '3': no feature is left to fit"),
        (["x", "x"], "column 'a' has only one value, 'x': no feature is left to fit"),
        (range(1, 13), "column 'a' numbers the rows from 1; --numeric 'a' keeps it: no feature is left"),
    ],
)
def test_a_column_that_is_no_feature(column: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        fitted(pd.DataFrame({"a": column}))


def test_a_column_called_like_a_level() -> None:
    with pytest.raises(TableError, match="a column has the same name as a level of another, such as 'colour=red'"):
        fitted(FRAME.assign(**{"colour=red": [1.0, 2, 3, 4]}))


def test_all_columns_with_missing_values_are_named() -> None:
    check_complete(FRAME)
    message = r"2 columns have missing values in 3 rows: 'b' \(2\), 'c' \(3\); --missing drop leaves out their rows"
    with pytest.raises(TableError, match=message):
        check_complete(pd.DataFrame({"a": [1, 2, 3], "b": [None, "x", None], "c": [np.nan] * 3}))


HOLES = pd.DataFrame({"a": [1.0, np.nan, 3.0, 8.0], "c": ["x", None, "y", "x"]})


@pytest.mark.parametrize(
    ("missing", "features", "row"),
    [
        ("mean", ["a", "c=y", "c=(missing)"], [4, 0, 1]),
        ("median", ["a", "c=y", "c=(missing)"], [3, 0, 1]),
        ("category", ["a", "a=(missing)", "c=y", "c=(missing)"], [4, 1, 0, 1]),
    ],
)
def test_missing_values_can_be_filled_in(missing: str, features: list[str], row: list[float]) -> None:
    encoder = fitted(HOLES, missing=missing)
    assert encoder.get_feature_names_out().tolist() == features
    assert encoder.transform(HOLES)[1].tolist() == row
    assert encoder.transform(HOLES.iloc[[1]])[0].tolist() == row  # the statistics are those of the fit


@pytest.mark.parametrize(
    ("name", "values", "left_out"),
    [
        ("n", range(20), True),
        ("n", range(1, 21), True),
        ("n", range(2, 22), False),
        ("n", range(9), False),
        ("year", range(1990, 2010), False),
        ("id", [7 * i % 20 for i in range(20)], True),
        ("customer_id", [7 * i % 20 for i in range(20)], True),
        ("PassengerId", [7 * i % 20 for i in range(20)], True),
        ("paid", [7 * i % 20 for i in range(20)], False),
        ("id", [1, 1, 2, 2, 3, 3, 4, 4, 5, 5], False),
        ("Unnamed: 0", [7 * i % 20 for i in range(20)], True),
        ("n", [float(i) for i in range(20)], False),
        ("name", [f"name {i}" for i in range(20)], True),
        ("name", [f"name {i % 12}" for i in range(20)], True),
        ("name", [f"name {i % 9}" for i in range(20)], False),
        ("name", [f"name {i // 3}" for i in range(60)], False),
        ("id", pd.array([None, *range(19)], dtype="Int64"), False),
        ("street", [f"May {i} street" for i in range(5)] * 4, False),
    ],
)
def test_columns_that_only_name_the_rows_are_left_out(name: str, values: Any, left_out: bool) -> None:
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=len(values)), name: values})
    found = decide(frame)
    assert (list(found.left_out) == [name]) == left_out
    kind = "categorical" if isinstance(values[0], str) else "numeric"
    assert [column.name for column in decide(frame, **{kind: (name,)}).columns] == ["x", name]


def target(values: Any, loss: str | None = None) -> Target:
    return Target.of(pd.Series(values, name="y"), loss)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([1, 0, 1], (0, 1)),
        ([1.0, -1.0, 1.0], (-1, 1)),
        ([10, 9, 10], (9, 10)),
        ([True, False, True], (False, True)),
        (["yes", "no", "yes"], ("no", "yes")),
    ],
)
def test_two_classes_of_any_kind(values: list[Any], classes: tuple[Any, ...]) -> None:
    for loss in (None, "logistic", "softmax"):
        made = target(values, loss)
        assert (made.loss, made.classes) == ("logistic", classes)
        assert [type(value) for value in made.classes or ()] == [type(value) for value in classes]
        assert made.encode(pd.Series(values, name="y")).tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("values", "loss"),
    [
        (["a", "b", "c"], "softmax"),
        ([1, 2, 3] * 5, "softmax"),
        ([1.0, 2.0, 3.0] * 5, "softmax"),
        ([1, 2, 3], "least-squares"),  # too few rows for classes
        ([1, 2, 4] * 5, "least-squares"),  # with a gap
        (list(range(11)) * 9, "least-squares"),
        ([0.5, 1, 2] * 5, "least-squares"),
    ],
)
def test_the_target_decides_the_loss(values: list[Any], loss: str) -> None:
    made = target(values)
    assert made.loss == loss
    assert f"the loss is {loss}; --loss takes another" in made.why
    assert target(values, "softmax").loss == "softmax"


@pytest.mark.parametrize(
    ("values", "loss", "message"),
    [
        ([1, 1], "logistic", r"column 'y' has 1 class \(1\); a logistic target has two"),
        (
            ["a", "b", "c"],
            "logistic",
            r"column 'y' has 3 classes \('a', 'b', 'c'\); a logistic target has two; take --l",
        ),
        (range(9), "logistic", r"column 'y' has 9 classes \(0, 1, 2, 3, 4, \.\.\.\)"),
        (range(101), "softmax", r"column 'y' has 101 classes \(0, 1, 2, 3, 4, \.\.\.\); expected at most 100"),
        (["a"], None, r"column 'y' has 1 class \('a'\); a target has at least two"),
        ([2, 2], None, "column 'y' has only the value 2: there is nothing to predict"),
        (
            [f"n{i}" for i in range(20)],
            None,
            "column 'y' holds text such as 'n0', 20 different ones in 20 rows;",
        ),
        (["1,5", "2,5", "3,5"], None, "column 'y' has numbers with a decimal comma, such as '1,5': .*--decimal ','"),
        (["2013-01-01", "2013-01-02"], None, "column 'y' holds dates; a target is numbers or classes"),
        (pd.to_datetime(["2013-01-01"]), None, "column 'y' holds dates; a target is numbers or classes"),
        (["a"], "least-squares", "column 'y' holds text such as 'a' in row 1; expected numbers"),
    ],
)
def test_a_target_that_suits_no_loss(values: Any, loss: str | None, message: str) -> None:
    with pytest.raises(TableError, match=message):
        target(values, loss)


def test_a_label_that_is_no_class_names_its_row() -> None:
    made = target(["a", "b", "a"])
    with pytest.raises(TableError, match=r"column 'y', row 2: 'c' is not a class that the model knows \('a', 'b'\)"):
        made.encode(pd.Series(["a", "c"], name="y"))


@given(n=st.integers(2, 300), fraction=st.floats(0, 0.99), seed=st.integers(0, 2**32))
def test_a_split_takes_every_row_once(n: int, fraction: float, seed: int) -> None:
    training, held_out = split_rows(np.arange(n), fraction, np.random.default_rng(seed), None)
    assert sorted([*training, *held_out]) == list(range(n))
    assert len(held_out) == (min(max(1, round(n * fraction)), n - 1) if fraction else 0)
    np.testing.assert_array_equal(split_rows(np.arange(n), fraction, np.random.default_rng(seed), None)[0], training)


def test_a_single_row_cannot_be_split() -> None:
    with pytest.raises(TableError, match=r"^1 rows are too few to hold out 0\.5 of them"):
        split_rows(np.arange(1), 0.5, np.random.default_rng(0), None)


def test_the_same_part_of_every_class_is_held_out() -> None:
    classes = np.repeat([0, 1, 2], [100, 10, 1])
    training, held_out = split_rows(np.arange(111), 0.2, np.random.default_rng(0), classes)
    assert np.bincount(classes[held_out], minlength=3).tolist() == [20, 2, 0]
    assert np.bincount(classes[training]).tolist() == [80, 8, 1]

"""Columns as arrays: encoding, targets, splitting, standardising."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from steepest.cli.encoding import (
    MAX_LEVELS,
    ColumnScaling,
    Encoder,
    check_complete,
    encode_target,
    split_rows,
    two_classes_of,
)
from steepest.cli.tables import TableError

FRAME = pd.DataFrame(
    {"size": [1.5, 2.0, 4.0, 3.0], "colour": ["red", "blue", "red", "green"], "old": [True, False] * 2}
)


def test_encoding() -> None:
    encoder = Encoder.of(FRAME)
    assert encoder.categories == {"colour": ["blue", "green", "red"]}
    assert encoder.features == ["size", "colour=green", "colour=red", "old"]
    X = encoder.encode(FRAME, np.float32)
    assert X.tolist() == [[1.5, 0, 1, 1], [2, 0, 0, 0], [4, 0, 1, 1], [3, 1, 0, 0]]
    assert X.dtype == np.float32
    assert X.flags.c_contiguous


def test_the_encoding_agrees_with_pandas() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.choice(list("xyzw"), 50), "b": rng.normal(size=50), "c": rng.choice(["p", "q"], 50)})
    expected = pd.get_dummies(frame, columns=["a", "c"], prefix_sep="=", drop_first=True)
    encoder = Encoder.of(frame)
    np.testing.assert_array_equal(encoder.encode(frame), expected[encoder.features].to_numpy(dtype=float))


@pytest.mark.parametrize("kind", ["object", "category", "string"])
def test_every_kind_of_text_column_is_a_category(kind: str) -> None:
    column = pd.DataFrame({"a": pd.Series(["x", "y", "x"], dtype=kind)})
    assert Encoder.of(column).encode(column).tolist() == [[0], [1], [0]]


def test_levels_that_look_like_numbers_are_found_again() -> None:
    encoder = Encoder.of(pd.DataFrame({"a": pd.Series([3, 5, 3]).astype("category")}))
    assert encoder.encode(pd.DataFrame({"a": [5, 3]})).tolist() == [[1], [0]]


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["red", "pink"], r"column 'colour': level 'pink' is not one that the model knows \(blue, green, red\)"),
        (["red", None], "column 'colour' has 1 missing values in 2 rows"),
    ],
)
def test_a_level_that_cannot_be_encoded(column: list[Any], message: str) -> None:
    with pytest.raises(TableError, match=message):
        Encoder.of(FRAME[["colour"]]).encode(pd.DataFrame({"colour": column}))


@pytest.mark.parametrize(
    ("column", "dtype", "message"),
    [
        (["big", "small"], "float64", "column 'size' holds text such as 'big'; expected numbers"),
        ([1.0, np.inf], "float64", "column 'size' has values that are not finite in float64"),
        ([1.0, 1e300], "float32", "column 'size' has values that are not finite in float32"),
        ([1.0, np.nan], "float64", "column 'size' has 1 missing values in 2 rows: fill them in or drop the rows"),
    ],
)
def test_a_number_that_cannot_be_used(column: list[Any], dtype: str, message: str) -> None:
    with pytest.raises(TableError, match=message):
        Encoder(["size"], {}).encode(pd.DataFrame({"size": column}), dtype)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (pd.to_datetime(["2013-01-01"]), "column 'a' is of type datetime64.*; expected numbers, booleans or text"),
        (pd.to_timedelta(["1 day"]), "column 'a' is of type timedelta64"),
        (np.array([1j]), "column 'a' is of type complex128"),
        ([f"id{i}" for i in range(MAX_LEVELS + 1)], "column 'a' has 1,001 levels; expected at most 1,000"),
    ],
)
def test_a_column_that_is_no_feature(column: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        Encoder.of(pd.DataFrame({"a": column}))


def test_a_column_called_like_a_level() -> None:
    with pytest.raises(TableError, match="a column has the same name as a level of another, such as 'colour=red'"):
        Encoder.of(FRAME.assign(**{"colour=red": 1.0}))


def test_missing_values_name_their_column() -> None:
    check_complete(FRAME)
    with pytest.raises(TableError, match="column 'b' has 2 missing values in 3 rows"):
        check_complete(pd.DataFrame({"a": [1, 2, 3], "b": [None, "x", None], "c": [np.nan] * 3}))


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ([1, 0, 1], [0, 1]),
        ([1.0, -1.0, 1.0], [-1.0, 1.0]),
        ([10, 9, 10], [9, 10]),
        ([True, False, True], [False, True]),
        (["yes", "no", "yes"], ["no", "yes"]),
    ],
)
def test_two_classes_of_any_kind(values: list[Any], classes: list[Any]) -> None:
    column = pd.Series(values, name="y")
    assert two_classes_of(column) == classes
    assert [type(value) for value in two_classes_of(column)] == [type(value) for value in classes]
    y = encode_target(column, classes, "float32")
    assert y.tolist() == [1, 0, 1]
    assert y.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, 1], r"column 'y' has 1 class \(1\); a logistic target has two"),
        (["a", "b", "c"], r"column 'y' has 3 classes \('a', 'b', 'c'\); a logistic target has two"),
        (range(9), r"column 'y' has 9 classes \(0, 1, 2, 3, 4, \.\.\.\)"),
    ],
)
def test_other_than_two_classes(values: Any, message: str) -> None:
    with pytest.raises(TableError, match=message):
        two_classes_of(pd.Series(values, name="y"))


def test_a_target_of_numbers() -> None:
    assert encode_target(pd.Series([1, 2], name="y"), None, "float64").tolist() == [1, 2]
    with pytest.raises(TableError, match="column 'y' holds text such as 'a'; expected numbers"):
        encode_target(pd.Series(["a"], name="y"), None, "float64")


@given(n=st.integers(2, 300), fraction=st.floats(0, 0.99), seed=st.integers(0, 2**32))
def test_a_split_takes_every_row_once(n: int, fraction: float, seed: int) -> None:
    if round(n * fraction) == n:
        with pytest.raises(TableError, match=f"^{n} rows are too few to hold out"):
            split_rows(n, fraction, seed)
        return
    training, held_out = split_rows(n, fraction, seed)
    assert sorted([*training, *held_out]) == list(range(n))
    assert len(held_out) == (max(1, round(n * fraction)) if fraction else 0)
    np.testing.assert_array_equal(split_rows(n, fraction, seed)[0], training)


@given(arrays(np.float64, (20, 3), elements=st.integers(-1000, 1000).map(lambda value: value / 7)))
def test_standardised_columns_have_mean_0_and_deviation_1(X: np.ndarray[Any, Any]) -> None:
    scaling = ColumnScaling.of(X)
    constant = np.ptp(X, axis=0) == 0
    np.testing.assert_array_equal(scaling.scale[constant], 1)
    np.testing.assert_allclose(scaling.scale[~constant], X.std(axis=0)[~constant], rtol=1e-12)
    scaling.apply(X)
    np.testing.assert_allclose(X.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(X.std(axis=0)[~constant], 1, rtol=1e-10)


def test_statistics_of_float32_are_summed_in_float64() -> None:
    X = np.full((200_000, 1), 1e4, np.float32)
    X[::2] += 1
    scaling = ColumnScaling.of(X)
    np.testing.assert_allclose([scaling.mean[0], scaling.scale[0]], [10_000.5, 0.5], rtol=1e-9)

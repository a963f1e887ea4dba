"""What `steepest fit` finds with its defaults, and what it says of columns and runs that are not what they seem."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from command_line import FRAME, PRICE, SOLD, complaint, run
from steepest.cli import fitting
from steepest.cli.encoding import TableEncoder
from steepest.cli.numerals import spelling
from steepest.cli.problem import FitOptions, pose
from steepest.cli.tables import Table, TableError
from steepest.cli.targets import Target
from steepest.estimators.regressor import OFFERED

LINEAR = ("--target", "y", "--loss", "least-squares")


def fitted(folder: Path, frame: pd.DataFrame, *options: object) -> dict[str, Any]:
    frame.to_csv(folder / "table.csv", index=False)
    result = run("fit", folder / "table.csv", *LINEAR, *options, "--model", folder / "model.json")
    assert result.exit_code == 0, result
    saved: dict[str, Any] = {**json.loads((folder / "model.json").read_text()), "stderr": result.stderr}
    return saved


def test_the_defaults_solve_an_exact_quadratic(tmp_path: Path) -> None:
    # y is 3 a^2 - 5 a + 2 without noise: the coefficients are known.
    a = np.linspace(0, 100, 400)
    model = fitted(tmp_path, pd.DataFrame({"a": a, "aa": a**2, "y": 3 * a**2 - 5 * a + 2}))
    assert model["coefficients"] == pytest.approx({"a": -5, "aa": 3}, rel=1e-4)
    assert model["intercept"] == pytest.approx(2, abs=1e-2)
    assert "not converged" not in model["stderr"]


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
@pytest.mark.parametrize("optimizer", ["quasi-newton", "adam"])
def test_a_run_that_did_not_converge_says_so(tmp_path: Path, optimizer: str, quiet: tuple[str, ...]) -> None:
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    run_options = ("--optimizer", optimizer, "--max-epochs", 1, "--tol", 1e-12)
    result = run("fit", tmp_path / "table.csv", *SOLD, *run_options, *quiet)
    assert result.exit_code == 0
    assert "steepest: not converged: all passes that --max-epochs allows are done (" in result.stderr
    assert "times the one at the start" in result.stderr


def test_a_run_that_converged_does_not(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    for options in (SOLD, PRICE):
        result = run("fit", tmp_path / "table.csv", *options, "--quiet")
        assert (result.exit_code, result.output) == (0, "")


def test_ctrl_c_keeps_what_the_fit_has_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = fitting.estimator_of

    def interrupting(options: Any, target: Any, rows: int, callbacks: Any) -> Any:
        def stop(progress: Any) -> None:
            if progress.epoch == 3:
                raise KeyboardInterrupt

        return made(options, target, rows, [stop])

    monkeypatch.setattr(fitting, "estimator_of", interrupting)
    FRAME.to_csv(tmp_path / "table.csv", index=False)
    options = ("--optimizer", "adam", "--model", tmp_path / "model.json")
    result = run("fit", tmp_path / "table.csv", *PRICE, *options)
    assert result.exit_code == 130
    assert "steepest: not converged: Ctrl-C was pressed (" in result.stderr
    assert ", 3 passes)" in result.stderr
    assert len(json.loads((tmp_path / "model.json").read_text())["coefficients"]) == 4


@pytest.mark.parametrize("loss", OFFERED)
def test_every_loss_of_the_regressor_is_offered(tmp_path: Path, loss: str) -> None:
    assert loss.replace("_", "-") in run("fit", "--help").stdout
    frame = FRAME.assign(price=FRAME["price"].clip(lower=1))
    frame.to_csv(tmp_path / "table.csv", index=False)
    options = ("--target", "price", "--drop", "sold", "--loss", loss.replace("_", "-"), "--model", tmp_path / "m.json")
    result = run("fit", tmp_path / "table.csv", *options)
    assert result.exit_code == 0, result
    assert "converged in " in result.stdout
    assert json.loads((tmp_path / "m.json").read_text())["loss"] == loss.replace("_", "-")
    assert run("predict", tmp_path / "m.json", tmp_path / "table.csv").exit_code == 0


def test_a_timestamp_in_float32_keeps_its_digits(tmp_path: Path) -> None:
    # The target is a line of slope 2 in seconds, around 1.7e9, where float32 counts in steps of 128.
    t = 1.7e9 + np.arange(400.0)
    noise = np.random.default_rng(0).normal(size=400)
    frame = pd.DataFrame({"t": t, "y": 2 * (t - 1.7e9) + noise})
    slope = np.polyfit(np.arange(400.0), frame["y"], 1)[0]
    model = fitted(tmp_path, frame, "--dtype", "float32", "--test-fraction", 0)
    assert model["coefficients"]["t"] == pytest.approx(slope, rel=1e-5)


@pytest.mark.parametrize("loss", ["least-squares", "huber"])
def test_a_target_far_from_zero_in_float32_keeps_its_digits(tmp_path: Path, loss: str) -> None:
    a = np.arange(400.0)
    frame = pd.DataFrame({"a": a, "y": 1.7e9 + 2 * a})
    model = fitted(tmp_path, frame, "--dtype", "float32", "--test-fraction", 0, "--loss", loss)
    assert model["coefficients"]["a"] == pytest.approx(2, rel=1e-5)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1,5", "2,75"], "a decimal comma"),
        (["1.234,5", "2,0"], "a decimal comma"),
        ([",5", "0,125"], "a decimal comma"),
        (["1,234", "999", "1,000,000.5"], "a thousands separator"),
        (["1'234", "5"], "a thousands separator"),
        (["1 234", "5"], "a thousands separator"),
        (["1_000", "5"], "a thousands separator"),
        (["5%", "10 %", "0"], "a percent sign"),
        (["$5", "-$10.50"], "a currency sign"),
        (["5 €", "1.000,50 €"], "a currency sign"),
        (["(5)", "10"], "parentheses"),
        (["\u22125", "5"], "a minus sign that is not a hyphen"),
        (["1.5D+03", "2.5d-01"], "an exponent written with D"),
        (["\u0661", "\u0662"], "characters that are not the digits 0-9"),
    ],
)
def test_numbers_that_cannot_be_read_are_named(tmp_path: Path, values: list[str], kind: str) -> None:
    found = spelling(values)
    assert found is not None
    assert found[0] == kind
    frame = pd.DataFrame({"code": values, "y": range(len(values))})
    pd.concat([frame] * 10).to_csv(tmp_path / "table.csv", index=False)
    message = complaint(run("fit", tmp_path / "table.csv", *LINEAR))
    assert message.startswith(f"column 'code' has numbers with {kind}, such as '")
    assert message.endswith("or keep the column as text with --categorical 'code'")
    kept = run("fit", tmp_path / "table.csv", *LINEAR, "--text", "code", "--quiet")
    assert kept.exit_code == 0, kept
    message = complaint(run("fit", tmp_path / "table.csv", "--target", "code", "--loss", "least-squares"))
    assert f"(a number with {kind}) in row " in message


@pytest.mark.parametrize(
    "values",
    [["1,5", "red"], ["2013-01-01"], ["1.2.3"], ["1", "2.5", "-3e5"], ["A1"], ["1D5"], ["1,2,3"], ["12:30"], [""]],
)
def test_text_that_is_no_number_is_left_alone(values: list[str]) -> None:
    assert spelling(values) is None


def test_a_number_column_spoilt_by_a_word_is_told(tmp_path: Path) -> None:
    values = [str(value / 8) for value in range(40)]
    frame = pd.DataFrame({"a": [*values, "unknown"] * 3, "y": range(123)})
    message = "column 'a' is read as text with 41 levels; besides numbers it holds 'unknown'"
    assert message in fitted(tmp_path, frame)["stderr"]
    assert message not in fitted(tmp_path, frame, "--text", "a")["stderr"]


def test_the_text_that_is_no_number_is_shown() -> None:
    encoder = TableEncoder().fit(pd.DataFrame({"a": [1, 3]}))
    with pytest.raises(TableError, match="column 'a' holds text such as 'unknown' in row 3; expected numbers"):
        encoder.transform(pd.DataFrame({"a": ["1", "2", "unknown"]}))


def test_codes_stay_text_where_asked_for(tmp_path: Path) -> None:
    frame = pd.DataFrame({"code": ["01", "1", "010"] * 20, "y": [0.0, 10.0, 5.0] * 20})
    model = fitted(tmp_path, frame, "--text", "code")
    assert model["columns"][0]["levels"] == ["01", "010", "1"]
    table = Table(pd.DataFrame({"0": [1, 2, 1, 2], "y": [0, 1, 0, 1]}), kind="matrix")
    made = pose(table, FitOptions("least-squares", target="y", categorical=("0",)))
    assert made.encoder.columns_[0].levels == ("1", "2")


def test_a_text_column_of_one_level_is_named(tmp_path: Path) -> None:
    pd.DataFrame({"colour": ["red"] * 20, "y": range(20)}).to_csv(tmp_path / "table.csv", index=False)
    message = complaint(run("fit", tmp_path / "table.csv", *LINEAR))
    assert message == "column 'colour' has only one value, 'red': no feature is left to fit"


@pytest.mark.parametrize("values", [[1, "1"], [True, "True", 2], [1.5, "1.5"]])
def test_labels_of_one_text_and_two_types_are_not_merged(values: list[Any]) -> None:
    column = pd.Series(values, dtype=object, name="a")
    for take in (lambda column: Target.of(column, "logistic"), lambda column: TableEncoder().fit(column.to_frame())):
        with pytest.raises(TableError, match=r"column 'a' holds '.*' both as str and as "):
            take(column)


def test_integers_beyond_every_type_are_numbers() -> None:
    frame = pd.DataFrame({"a": pd.Series([10**30, 1], dtype=object)})
    assert TableEncoder().fit_transform(frame).tolist() == [[1e30], [1]]
    frame = pd.DataFrame({"a": pd.Series([10**400, 1], dtype=object)})
    with pytest.raises(TableError, match="column 'a' has values that are not finite in float64"):
        TableEncoder().fit(frame)


def test_lists_are_no_classes() -> None:
    with pytest.raises(TableError, match="column 'y' holds a list; expected numbers, booleans, dates or text"):
        Target.of(pd.Series([[1], [2]], name="y"), "logistic")


@pytest.mark.parametrize(("start", "told"), [(1.7e9, True), (0.0, False)])
def test_digits_that_float32_loses_without_standardising_are_told(tmp_path: Path, start: float, told: bool) -> None:
    t = start + np.arange(400.0)
    frame = pd.DataFrame({"t": t, "one": 1.0 + 1e9, "y": np.arange(400.0)})
    model = fitted(tmp_path, frame, "--dtype", "float32", "--no-standardize")
    assert ("column 't' loses most of its digits in float32: leave --no-standardize out" in model["stderr"]) == told
    assert "column 'one'" not in model["stderr"]


@pytest.mark.parametrize(
    ("start", "step", "told"),
    [
        (2**62, 1, True),
        (2**62, 2**40, False),
        (0, 1, False),
        (10**25, 1, True),
        (-(10**25), 7, True),
        (10**25, 10**23, 0),
    ],
)
def test_digits_of_integers_that_float64_loses_are_told(tmp_path: Path, start: int, step: int, told: bool) -> None:
    # Neighbours of 2^62 among float64 numbers are 1024 apart, more than these 400 numbers span; those of 1e25 are 2^31.
    frame = pd.DataFrame({"t": [start + step * i for i in range(400)], "y": np.arange(400.0), "z": np.arange(400.0)})
    message = f"column 't' loses most of its digits in float64: subtract {start} from it"
    assert (message in fitted(tmp_path, frame)["stderr"]) == told

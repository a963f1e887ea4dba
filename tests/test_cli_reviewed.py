"""Tables that differ from the one of the fit in their order, base, decimals or dates: the right answer, or an error."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import steepest as st
from command_line import complaint, run

X = np.random.default_rng(3).normal(size=(80, 3))
Y = X @ [1.0, -2.0, 3.0] + 5  # without noise: the coefficients are known, and every R2 is 1


def fitted(folder: Path, table: Path, *options: object) -> Path:
    model = folder / "model.json"
    result = run("fit", table, "--loss", "least-squares", "--quiet", "--model", model, *options)
    assert result.exit_code == 0, result
    return model


def predicted(model: Path, table: Path) -> list[float]:
    result = run("predict", model, table)
    assert result.exit_code == 0, result
    return [float(line) for line in result.stdout.split()[1:]]


@pytest.mark.parametrize("place", [0, 1, 3])
def test_the_target_of_a_matrix_may_be_any_column(tmp_path: Path, place: int) -> None:
    path = tmp_path / "m.npy"
    np.save(path, np.insert(X, place, Y, axis=1))
    result = run("fit", path, "--target", place, "--loss", "least-squares", "--validation", path, "--json")
    assert json.loads(result.stdout)["metrics"]["validation"]["r2"] == pytest.approx(1, abs=1e-6)
    model = fitted(tmp_path, path, "--target", place)
    assert predicted(model, path) == pytest.approx(Y, abs=1e-4)
    np.save(path, X)
    assert predicted(model, path) == pytest.approx(Y, abs=1e-4)


def test_y_of_an_npz_file_is_no_feature(tmp_path: Path) -> None:
    wide, narrow, table = tmp_path / "wide.npz", tmp_path / "narrow.npz", tmp_path / "a.csv"
    np.savez(wide, X=X, y=Y)
    np.savez(narrow, X=X[:, :2], y=Y)
    pd.DataFrame(X, columns=list("abc")).assign(y=Y).to_csv(table, index=False)
    for source, names in ((wide, "0, 1, 2"), (table, "a, b, c")):
        model = fitted(tmp_path, source, "--target", "y")
        assert complaint(run("predict", model, narrow)) == f"2 columns, and the model needs 3: {names}"
        assert complaint(run("evaluate", model, narrow)) == f"2 columns, and the model needs 3: {names}"
        assert predicted(model, wide) == pytest.approx(Y, abs=1e-4)
        found = json.loads(run("evaluate", model, wide, "--json").stdout)
        assert found["r2"] == pytest.approx(1, abs=1e-6)


def test_svmlight_files_that_count_from_another_number(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    for first in (0, 1):
        lines = (
            f"{y} " + " ".join(f"{j + first}:{value}" for j, value in enumerate(row))
            for row, y in zip(X, Y, strict=True)
        )
        (tmp_path / f"{first}.svm").write_text("\n".join(lines) + "\n")
    for first, odd in ((1, "0"), (0, "3")):
        model = fitted(tmp_path, tmp_path / f"{first}.svm")
        assert predicted(model, tmp_path / f"{first}.svm") == pytest.approx(Y, abs=1e-4)
        for command in ("evaluate", "predict"):
            message = complaint(run(command, model, tmp_path / f"{1 - first}.svm"))
            assert message.startswith(f"the model has no column '{odd}', where the file has numbers other than 0")
    model = fitted(tmp_path, tmp_path / "1.svm", "--drop", "2")
    assert len(predicted(model, tmp_path / "1.svm")) == len(Y)


def test_rows_of_a_validation_file_have_their_weights(tmp_path: Path) -> None:
    """The model is exact. Of 4 weights, 3 are on rows off by 2, so the mean square is 3 * 4 / 4 (unweighted 2)."""
    frame = pd.DataFrame({"x": np.arange(60.0), "w": 1, "y": np.arange(60.0)})
    frame.to_csv(tmp_path / "a.csv", index=False)
    off = frame.assign(w=[1, 3] * 30, y=frame["y"] + [0, 2] * 30)
    options = ("--target", "y", "--loss", "least-squares", "--weight", "w", "--validation", tmp_path / "b.csv")
    off.to_csv(tmp_path / "b.csv", index=False)
    found = json.loads(run("fit", tmp_path / "a.csv", *options, "--max-epochs", 200, "--json").stdout)
    assert found["metrics"]["validation"]["rmse"] == pytest.approx(3**0.5, rel=0.02)
    off.drop(columns="w").to_csv(tmp_path / "b.csv", index=False)
    assert (
        complaint(run("fit", tmp_path / "a.csv", *options)) == "--validation b.csv: no column 'w'; the columns are x, y"
    )


def test_validation_rows_without_a_target_are_left_out(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": np.arange(60.0), "y": np.arange(60.0)})
    frame.loc[:2] = np.nan
    frame.to_csv(tmp_path / "a.csv", index=False)
    options = ("--target", "y", "--loss", "least-squares", "--validation", tmp_path / "a.csv", "--json")
    for missing in ("mean", "drop"):
        found = json.loads(run("fit", tmp_path / "a.csv", *options, "--missing", missing).stdout)
        assert found["rows"]["validation"] == 57


def test_a_decimal_point_is_refused_where_decimals_have_a_comma(tmp_path: Path) -> None:
    table, other = tmp_path / "a.csv", tmp_path / "b.csv"
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=Y)
    frame.to_csv(table, index=False, sep=";", decimal=",")
    model = fitted(tmp_path, table, "--target", "y", "--decimal", ",")
    assert predicted(model, table) == pytest.approx(Y, abs=1e-4)
    other.write_text("a;b;c;y\n1.234;0,5;0,5;2.5\n")
    message = "column 'a', row 1: '1.234' has a point; expected a number with the decimal character ','"
    assert complaint(run("predict", model, other)) == message
    other.write_text("a;b;c;y\n1;0,5;0,5;2.5\n")
    message = "column 'y', row 1: '2.5' has a point; expected a number with the decimal character ','"
    assert complaint(run("evaluate", model, other)) == message
    frame.assign(a="1.234", b="2.5").to_csv(table, index=False, sep=";", decimal=",")
    message = complaint(run("fit", table, "--target", "y", "--decimal", ",", "--numeric", "a"))
    assert message.startswith("column 'a', row 1: '1.234' has a point")


def dated(folder: Path, days: list[str], name: str = "a.csv") -> Path:
    pd.DataFrame({"day": days, "y": np.arange(len(days)) * 2.0}).to_csv(folder / name, index=False)
    return folder / name


def test_parts_of_a_date_are_no_date(tmp_path: Path) -> None:
    days = pd.date_range("2013-01-01", periods=100).strftime("%Y-%m-%d").tolist()
    model = fitted(tmp_path, dated(tmp_path, days), "--target", "y")
    assert predicted(model, dated(tmp_path, ["2013-02-01", "20130202"])) == pytest.approx([62, 64], abs=1e-3)
    for day in ("2013-02", "2013"):
        message = complaint(run("predict", model, dated(tmp_path, ["2013-02-28", day])))
        assert message == f"column 'day', row 2: '{day}' is not a date like the others"


def test_times_are_those_of_the_clock(tmp_path: Path) -> None:
    """2013-03-04 was a Monday: Sunday in UTC. The levels and hours are those that the text shows."""
    texts = [f"2013-03-{4 + i % 7:02}T{i % 2 + 1:02}:30:00+05:00" for i in range(70)]
    model = fitted(tmp_path, dated(tmp_path, texts), "--target", "y")
    parts = json.loads(model.read_text())["columns"][0]["parts"]
    assert [part["name"] for part in parts] == ["day.weekday", "day.elapsed", "day.hour"]
    assert json.loads(model.read_text())["columns"][0]["origin"] == "2013-03-04"
    expected = predicted(model, tmp_path / "a.csv")
    frame = pd.DataFrame({"day": pd.to_datetime(texts)})
    frame.to_parquet(tmp_path / "a.parquet")
    assert predicted(model, tmp_path / "a.parquet") == pytest.approx(expected)
    frame.assign(day=frame["day"].dt.tz_localize(None)).to_parquet(tmp_path / "a.parquet")
    for naive in (tmp_path / "a.parquet", dated(tmp_path, ["2013-03-04T01:30:00"])):
        message = complaint(run("predict", model, naive))
        assert message.startswith("column 'day', row 1: '2013-03-04")
        assert message.endswith("' has no offset from UTC, and the others have one")
    model = fitted(tmp_path, dated(tmp_path, [text[:-6] for text in texts]), "--target", "y")
    message = complaint(run("predict", model, dated(tmp_path, texts)))
    assert message.endswith("'2013-03-04T01:30:00+05:00' has an offset from UTC, and the others have none")
    message = complaint(run("fit", dated(tmp_path, [*texts, texts[0][:-6]]), "--target", "y"))
    assert message.startswith(
        "column 'day' has times with an offset from UTC, such as '2013-03-04T01:30:00+05:00', and"
    )


@pytest.mark.parametrize(("value", "what"), [("007", "text with a leading zero"), ("True", "a truth value")])
def test_what_a_fit_takes_for_text_is_no_number(tmp_path: Path, value: str, what: str) -> None:
    pd.DataFrame({"a": Y, "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    model = fitted(tmp_path, tmp_path / "a.csv", "--target", "y")
    (tmp_path / "b.csv").write_text(f"a\n{value}\n")
    message = complaint(run("predict", model, tmp_path / "b.csv"))
    assert message == f"column 'a', row 1: '{value}' is {what}, and the fit had numbers"
    pd.DataFrame({"a": [f"{i:03}" for i in range(80)], "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    model = fitted(tmp_path, tmp_path / "a.csv", "--target", "y", "--numeric", "a")
    (tmp_path / "b.csv").write_text("a\n007\n7\n")
    first, second = predicted(model, tmp_path / "b.csv")
    assert first == second


def test_names_that_a_model_file_could_not_keep_are_refused(tmp_path: Path) -> None:
    options = ("--target", "y", "--missing", "category", "--model", tmp_path / "m.json")
    holes = np.where(np.arange(80) % 9, X[:, 0], np.nan)
    pd.DataFrame({"x": holes, "x=(missing)": X[:, 1], "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    message = complaint(run("fit", tmp_path / "a.csv", *options))
    assert message.startswith("a column has the same name as a level of another")
    pd.DataFrame({"x": X[:, 0], "(intercept)": X[:, 1], "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    message = complaint(run("fit", tmp_path / "a.csv", *options))
    assert message == "a column is called '(intercept)', the name of the intercept in a model file: rename it"
    pd.DataFrame({"x": ["(missing)", "b", None, "c"] * 20, "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    message = complaint(run("fit", tmp_path / "a.csv", *options))
    assert message.startswith("column 'x' has missing values and the text '(missing)', which names their level")
    assert not (tmp_path / "m.json").exists()


@pytest.mark.parametrize("cell", [[1, 2], {"a": 1}])
def test_a_list_is_no_value(tmp_path: Path, cell: object) -> None:
    days = pd.date_range("2013-01-01", periods=80).strftime("%Y-%m-%d")
    pd.DataFrame({"c": ["a", "b"] * 40, "n": Y, "d": days, "y": Y}).to_parquet(tmp_path / "a.parquet")
    model = fitted(tmp_path, tmp_path / "a.parquet", "--target", "y")
    right = {"c": ["a"], "n": [1.0], "d": ["2013-01-01"]}
    for name in right:
        pd.DataFrame({**right, name: [cell]}).to_parquet(tmp_path / "b.parquet")
        message = complaint(run("predict", model, tmp_path / "b.parquet"))
        assert message.startswith(f"column '{name}' holds ")


@pytest.mark.parametrize("unit", [1e-200, 1e200, 1e307])
def test_measures_and_errors_do_not_depend_on_the_unit_of_the_target(tmp_path: Path, unit: float) -> None:
    y = Y + np.random.default_rng(4).normal(size=80)
    y /= np.abs(y).max()
    found = []
    for factor in (1.0, unit):
        pd.DataFrame(X, columns=list("abc")).assign(y=y * factor).to_csv(tmp_path / "a.csv", index=False)
        result = run("fit", tmp_path / "a.csv", "--target", "y", "--json", "--model", tmp_path / "m.json")
        assert result.exit_code == 0, result
        content = json.loads(result.stdout, parse_constant=pytest.fail)
        test, errors = content["metrics"]["test"], content["standard_errors"]
        scaled = [test["rmse"], test["mae"], test["base_rmse"], test["base_value"], *errors.values()]
        found.append([test["r2"], *(value / factor for value in scaled)])
    assert found[1] == pytest.approx(found[0], rel=1e-6)


def test_columns_of_the_model_are_copied_as_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a;y\n" + "".join(f"{i},50;{i},5\n" for i in range(30)))
    model = fitted(tmp_path, tmp_path / "a.csv", "--target", "y", "--decimal", ",")
    for given, source in ((tmp_path / "a.csv", None), ("-", tmp_path / "a.csv")):
        result = run("predict", model, given, "--keep", "a", standard_input=source)
        assert result.exit_code == 0, result
        frame = pd.read_csv(io.StringIO(result.stdout), dtype={"a": str})
        assert frame["a"].tolist() == [f"{i},50" for i in range(30)]
        assert frame["prediction"].to_numpy() == pytest.approx(np.arange(30) + 0.5)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("reading", {"na": 5}), ("reading", {"separator": 5, "decimal": ".", "encoding": "utf-8", "na": []})],
        *[("metrics", {"test": {}}), ("metrics", {"test": 5}), ("metrics", 5), ("data", {"x": 1})],
        *[("base", [1.0, 2.0, 3.0]), ("settings", {"numeric": 5}), ("settings", {"drop": 5})],
    ],
)
def test_changed_model_files_are_refused(tmp_path: Path, key: str, value: Any) -> None:
    pd.DataFrame({"a": Y, "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    model = fitted(tmp_path, tmp_path / "a.csv", "--target", "y")
    model.write_text(json.dumps({**json.loads(model.read_text()), key: value}))
    for arguments in (("explain", model), ("predict", model, tmp_path / "a.csv")):
        assert f"'{key}'" in complaint(run(*arguments))


def test_a_column_that_comes_twice_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": Y, "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    model = st.load_model(fitted(tmp_path, tmp_path / "a.csv", "--target", "y"))
    twice = pd.DataFrame(np.ones((3, 3)), columns=["a", "b", "a"])
    with pytest.raises(ValueError, match="two columns are called 'a': rename one"):
        model.predict(twice)
    assert len(model.predict(twice.set_axis(["a", "b", "b"], axis=1))) == 3


def test_rows_without_a_class_are_empty_in_an_array(tmp_path: Path) -> None:
    a = np.where(np.arange(80) == 3, np.nan, Y)
    pd.DataFrame({"a": a, "y": np.where(Y > 5, "yes", "no")}).to_csv(tmp_path / "a.csv", index=False)
    options = ("--target", "y", "--missing", "drop", "--quiet", "--model", tmp_path / "m.json")
    assert run("fit", tmp_path / "a.csv", *options).exit_code == 0
    assert run("predict", tmp_path / "m.json", tmp_path / "a.csv", "--output", tmp_path / "o.npy").exit_code == 0
    classes = np.load(tmp_path / "o.npy")["class"].tolist()
    assert (classes[3], set(classes)) == ("", {"", "yes", "no"})


def refused(folder: Path, frame: pd.DataFrame, *options: object) -> str:
    frame.to_csv(folder / "a.csv", index=False)
    return complaint(run("fit", folder / "a.csv", "--target", "y", *options))


def test_rows_that_cannot_be_used_are_those_of_the_file(tmp_path: Path) -> None:
    a = np.where(np.arange(80) < 3, np.nan, np.where(np.arange(80) == 3, np.inf, Y))
    message = refused(tmp_path, pd.DataFrame({"a": a, "y": Y}), "--missing", "mean")
    assert message == "column 'a' has values that are not finite in float64, the first in row 4"
    counts = np.where(np.arange(80) == 59, -1, np.arange(80))
    message = refused(tmp_path, pd.DataFrame({"a": X[:, 0], "y": counts}), "--loss", "poisson")
    assert message == "column 'y', row 60: a target of the loss poisson is at least 0, got -1"


def test_messages_say_what_helps(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": X[:, 0], "y": np.where(np.arange(80) == 5, np.nan, Y)})
    message = refused(tmp_path, frame)
    assert message.endswith("--missing drop, mean, median and category leave out rows without a target or a weight")
    message = refused(tmp_path, frame.assign(y=[f"text {i}" for i in range(80)]))
    assert message.startswith("column 'y' holds text such as 'text 0', 80 different ones in 80 rows; expected numbers")
    assert "at most 100" in message
    frame.assign(y=0).to_csv(tmp_path / "a.csv", index=False)
    result = run("fit", tmp_path / "a.csv", "--target", "y", "--loss", "poisson")
    assert "classes" not in result.stderr
    assert "not converged: some counts are all 0" in result.stderr


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--decimal", "5", "--decimal must be one character, such as . or a comma, got '5'"),
        ("--sep", "xx", "--sep must be one character, got 'xx'"),
        ("--random-state", 2**32, "4294967296 is not in the range 0<=x<=4294967295"),
        ("--max-epochs", 2**63, "is not in the range"),
    ],
)
def test_values_out_of_range_are_refused_before_the_fit(tmp_path: Path, option: str, value: Any, message: str) -> None:
    pd.DataFrame({"a": Y, "y": Y}).to_csv(tmp_path / "a.csv", index=False)
    result = run("fit", tmp_path / "a.csv", "--target", "y", option, value)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr

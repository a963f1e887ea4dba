"""The command line on 30 and more real tables: each run ends in a model as good as scikit-learn's, or in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import dump_svmlight_file, load_breast_cancer, load_diabetes, load_digits, load_iris, load_wine

from command_line import complaint, run
from real_tables import halves, reference, score, table, with_date_parts


@dataclass(frozen=True)
class Case:
    """A run: the table, its format, the target, options, columns that say nothing, and a change of the table.

    `known` makes of the table's columns what scikit-learn is given, where it cannot know by itself.
    """

    table: str
    suffix: str
    target: str
    options: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame
    known: Callable[[pd.DataFrame], pd.DataFrame] = lambda frame: frame
    numbers: bool = False
    says: str = ""

    def __str__(self) -> str:
        return "-".join((self.table, self.target, self.suffix[1:], *self.options))

    @property
    def missing(self) -> str:
        return self.options[self.options.index("--missing") + 1] if "--missing" in self.options else "error"


def flights(frame: pd.DataFrame) -> pd.DataFrame:
    """The flights with a target of two classes, and without what is known after landing only."""
    late = np.where(frame["arr_delay"] > 15, "late", "in time")
    names = ["time_hour", "dep_delay", "carrier", "origin", "distance", "air_time"]
    return frame[names].assign(late=late)[frame["arr_delay"].notna()]


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows with a running number as pandas writes it, in another order."""
    return frame.sample(frac=1, random_state=0).reset_index().rename(columns={"index": "Unnamed: 0"})


def months(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(month=frame["month"].map("{:02}".format)).drop(columns="date")


def ordered(frame: pd.DataFrame) -> pd.DataFrame:
    """Levels of diamonds by their rank, as sorted text."""
    ranks = {name: frame[name].cat.codes.map("{:02}".format) for name in ("cut", "color", "clarity") if name in frame}
    return frame.assign(**ranks)


DROP, MEAN, MEDIAN, CATEGORY = (("--missing", how) for how in ("drop", "mean", "median", "category"))
CASES = [
    Case("penguins", ".csv", "species", DROP, says="has 3 classes (Adelie, Chinstrap, Gentoo): the loss is softmax"),
    Case("penguins", ".parquet", "species", MEAN),
    Case("penguins", ".tsv", "sex", DROP, says="the loss is logistic"),
    Case("penguins", ".csv", "body_mass_g", MEDIAN, numbers=True, says="2 left out (no value of 'body_mass_g')"),
    Case("penguins", ".feather", "island", (*CATEGORY, "--drop", "year"), says="344 rows read"),
    Case("diamonds", ".parquet", "price", known=ordered, numbers=True, says="baseline levels, which the intercept"),
    Case("diamonds", ".csv", "cut", says="has 5 classes (Fair, Good, Ideal, Premium, Very Good)"),
    Case("diamonds", ".csv", "price", ("--sep", ";", "--decimal", ","), numbers=True),
    Case(
        "diamonds", ".parquet", "price", left_out=("Unnamed: 0",), change=numbered, known=ordered, numbers=True,
        says="left out: column 'Unnamed: 0' has another number in every row and the name of an identifier",
    ),
    Case(
        "flights", ".csv", "late", DROP, change=flights, known=lambda frame: with_date_parts(frame, "time_hour", False),
        says="1 date",
    ),
    Case(
        "flights", ".parquet", "arr_delay", DROP, numbers=True,
        change=lambda frame: frame[["dep_delay", "carrier", "origin", "distance", "air_time", "arr_delay"]],
        says="left out (no value of 'arr_delay')",
    ),
    Case("Default", ".csv", "default", left_out=("rownames",), says="column 'rownames' numbers the rows from 1"),
    Case("Default", ".parquet", "balance", left_out=("rownames",), numbers=True),
    Case(
        "Hitters", ".csv", "Salary", DROP, left_out=("rownames",), numbers=True,
        says="left out: column 'rownames' is nearly unique text, 322 values in 322 rows",
    ),
    Case("Wage", ".csv", "wage", left_out=("rownames", "region"), numbers=True, says="column 'region' has only one"),
    Case("Wage", ".parquet", "education", left_out=("rownames", "region"), says="has 5 classes"),
    Case("Wage", ".csv", "health_ins", left_out=("rownames", "region")),
    Case("Titanic", ".csv", "Survived", MEAN, left_out=("rownames", "Name"), says="column 'Name' is nearly unique"),
    Case("Titanic", ".csv", "Survived", CATEGORY, left_out=("rownames", "Name")),
    Case("mtcars", ".parquet", "mpg", left_out=("name",), numbers=True, says="column 'name' is nearly unique text"),
    Case("mpg", ".csv", "hwy", numbers=True, change=lambda frame: frame.drop(columns=["model", "trans", "class"])),
    Case("msleep", ".csv", "sleep_rem", MEDIAN, left_out=("name", "genus"), numbers=True,
         change=lambda frame: frame.drop(columns="order")),
    Case("economics", ".parquet", "unemploy", known=lambda frame: with_date_parts(frame, "date", False), numbers=True),
    Case("economics", ".csv", "unemploy", known=lambda frame: with_date_parts(frame, "date", False), numbers=True),
    Case("txhousing", ".csv", "median", DROP, change=months, numbers=True, says="month=01"),
    Case("midwest", ".csv", "inmetro", ("--drop", "category"), left_out=("county",), says="'county' is nearly unique"),
    Case("fair", ".csv", "rate_marriage", says="5 whole numbers without a gap, taken for classes"),
    Case("fair", ".parquet", "affairs", numbers=True),
    Case("anes96", ".csv", "vote", says="has 2 classes (0, 1)"),
    Case("randhie", ".csv", "mdvis", numbers=True, says="is a number: the loss is least-squares"),
]  # fmt: skip


def write(frame: pd.DataFrame, path: Path, options: tuple[str, ...]) -> None:
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".feather":
        frame.to_feather(path)
    else:
        separator = (
            options[options.index("--sep") + 1] if "--sep" in options else "\t" if path.suffix == ".tsv" else ","
        )
        decimal = options[options.index("--decimal") + 1] if "--decimal" in options else "."
        frame.to_csv(path, index=False, sep=separator, decimal=decimal)


def prepared(case: Case, folder: Path) -> tuple[pd.DataFrame, Path]:
    frame = case.change(table(case.table)).reset_index(drop=True)
    path = folder / f"{case.table}{case.suffix}"
    write(frame, path, case.options)
    return frame, path


def known_columns(case: Case, frame: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    """What scikit-learn is given: the rows and columns that the command line uses, and the target."""
    dropped = [case.options[i + 1] for i, name in enumerate(case.options) if name == "--drop"]
    frame = frame.drop(columns=[*case.left_out, *dropped])
    frame = frame[frame[case.target].notna()]
    if case.missing == "drop":
        frame = frame.dropna()
    y = frame[case.target].astype(float) if case.numbers else frame[case.target].astype(str)
    return case.known(frame.drop(columns=case.target)), y


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_model_is_as_good_as_that_of_scikit_learn(case: Case, tmp_path: Path) -> None:
    """The same rows are fitted and evaluated: the measures agree to the tolerance of the two solvers."""
    frame, path = prepared(case, tmp_path)
    model = tmp_path / "model.json"
    result = run("fit", path, "--target", case.target, *case.options, "--test-fraction", 0, "--model", model)
    assert (result.exit_code, result.stderr) == (0, "")
    assert case.says in result.stdout
    assert "converged in " in result.stdout
    reading = case.options if "--sep" in case.options else ()
    found = run("evaluate", model, path, "--json", *reading)
    assert found.exit_code == 0, found
    measures = json.loads(found.stdout)
    X, y = known_columns(case, frame)
    expected = score(reference(X, y, case.missing), X, y)
    assert measures["rows"] == len(y)
    assert measures["r2" if case.numbers else "log_loss"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("case", [case for case in CASES if case.says], ids=str)
def test_rows_that_the_fit_never_saw_are_measured(case: Case, tmp_path: Path) -> None:
    """The printed measures of the test rows are those that `evaluate` finds on the rows that were held out by hand."""
    frame, _ = prepared(case, tmp_path)
    first, second = halves(frame, case.target)
    for name, part in (("first", first), ("second", second)):
        write(part, tmp_path / f"{name}{case.suffix}", case.options)
    model, options = tmp_path / "model.json", ("--target", case.target, *case.options)
    fitted = run("fit", tmp_path / f"first{case.suffix}", *options, "--json", "--model", model)
    assert fitted.exit_code == 0, fitted
    told = json.loads(fitted.stdout)
    found = run("evaluate", model, tmp_path / f"second{case.suffix}", "--json", "--unknown", "baseline")
    assert found.exit_code == 0, found
    measures = json.loads(found.stdout)
    assert measures["better_than_base"]
    if "test" in told["metrics"]:
        key = "r2" if case.numbers else "accuracy"
        assert measures[key] == pytest.approx(told["metrics"]["test"][key], abs=0.25)


def arrays(path: Path, name: str) -> tuple[str, ...]:
    X, y = {"digits": load_digits, "iris": load_iris, "wine": load_wine, "cancer": load_breast_cancer}[name](
        return_X_y=True
    )
    if path.suffix == ".npy":
        np.save(path, np.c_[X, y])
        return ("--target", "-1")
    if path.suffix == ".npz":
        np.savez(path, X=X, y=y)
    else:
        dump_svmlight_file(X, y, str(path))
    return ()


@pytest.mark.parametrize(
    ("name", "suffix", "accuracy"),
    [("digits", ".npy", 0.95), ("cancer", ".npz", 0.95), ("iris", ".svmlight", 0.9), ("wine", ".npz", 0.95)],
)
def test_arrays_of_numbers(name: str, suffix: str, accuracy: float, tmp_path: Path) -> None:
    path = tmp_path / f"{name}{suffix}"
    result = run("fit", path, *arrays(path, name), "--json")
    assert result.exit_code == 0, result
    assert json.loads(result.stdout)["metrics"]["test"]["accuracy"] >= accuracy


def test_a_table_of_numbers_by_name_and_standard_input(tmp_path: Path) -> None:
    frame = load_diabetes(as_frame=True).frame
    frame.to_csv(tmp_path / "diabetes.csv", index=False)
    result = run(
        "fit", "-", "--target", "target", "--json", "--test-fraction", 0, standard_input=tmp_path / "diabetes.csv"
    )
    assert result.exit_code == 0, result
    assert json.loads(result.stdout)["metrics"]["training"]["r2"] == pytest.approx(0.5177484, abs=1e-6)  # as published


@dataclass(frozen=True)
class Refusal:
    """A run that ends in a sentence."""

    case: Case
    sentence: str

    def __str__(self) -> str:
        return str(self.case)


REFUSALS = [
    Refusal(
        Case("Hitters", ".csv", "Salary"), "a column has missing values in 322 rows: 'Salary' (59); --missing drop"
    ),
    Refusal(Case("Titanic", ".csv", "Survived"), "a column has missing values in 1,313 rows: 'Age' (557)"),
    Refusal(
        Case("msleep", ".csv", "sleep_total"),
        "5 columns have missing values in 83 rows: 'vore' (7), 'conservation' (29), 'sleep_rem' (22), "
        "'sleep_cycle' (51), 'brainwt' (27)",
    ),
    Refusal(Case("Default", ".csv", "income", ("--loss", "logistic")), "column 'income' has 10,000 classes"),
    Refusal(
        Case("Wage", ".csv", "education", ("--loss", "least-squares")), "column 'education' holds text such as '1. <"
    ),
    Refusal(Case("economics", ".parquet", "date"), "column 'date' holds dates; a target is numbers or classes"),
    Refusal(
        Case("mtcars", ".csv", "name"),
        "column 'name' holds text such as 'Mazda RX4', 32 different ones in 32 rows;",
    ),
    Refusal(Case("penguins", ".csv", "specie"), "no column 'specie'; the columns are species, island, "),
    Refusal(
        Case("economics", ".csv", "pop", change=lambda frame: frame.assign(date=frame["date"].dt.strftime("%m/01/%Y"))),
        "column 'date' has dates such as '07/01/1967', where day and month cannot be told apart",
    ),
]


@pytest.mark.parametrize("refusal", REFUSALS, ids=str)
def test_a_run_that_ends_in_a_sentence(refusal: Refusal, tmp_path: Path) -> None:
    _, path = prepared(refusal.case, tmp_path)
    message = complaint(run("fit", path, "--target", refusal.case.target, *refusal.case.options))
    assert message.startswith(refusal.sentence)


def test_a_model_that_is_no_better_than_the_base_rate_says_so(tmp_path: Path) -> None:
    """Last week's returns do not tell this week's direction (James et al., An Introduction to Statistical Learning)."""
    frame, path = prepared(Case("Weekly", ".csv", "Direction"), tmp_path)
    result = run("fit", path, "--target", "Direction", "--drop", "Today")
    assert result.exit_code == 0, result
    assert "the model is no better than the base rate, always saying 'Up' (accuracy 0.55" in result.stdout
    noise = frame.assign(Today=np.random.default_rng(0).permutation(frame["Today"].to_numpy()))
    noise.to_csv(path, index=False)
    result = run("fit", path, "--target", "Today", "--drop", "Direction")
    assert "the model is no better than always predicting the mean, " in result.stdout
    assert "no better" not in run("fit", path, "--target", "Volume", "--drop", "Direction").stdout

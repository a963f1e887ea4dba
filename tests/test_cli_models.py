"""The commands that use a model file: predict, evaluate, explain; and the kinds of columns that the model keeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import steepest as st
from command_line import FRAME, PRICE, ROWS, SOLD, complaint, run

IDS = FRAME.assign(id=[f"{i:03}" for i in range(ROWS)])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    IDS.to_csv(tmp_path / "table.csv", index=False)
    assert run("fit", tmp_path / "table.csv", *SOLD, "--quiet", "--model", tmp_path / "sold.json").exit_code == 0
    assert run("fit", tmp_path / "table.csv", *PRICE, "--quiet", "--model", tmp_path / "price.json").exit_code == 0
    return tmp_path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".feather", ".arrow", ".npy"])
@pytest.mark.parametrize("name", ["sold", "price"])
def test_predictions_in_every_format(folder: Path, suffix: str, name: str) -> None:
    output = folder / f"out{suffix}"
    model = folder / f"{name}.json"
    result = run("predict", model, folder / "table.csv", "--keep", "id", "--output", output)
    assert (result.exit_code, result.output) == (0, "")
    if suffix == ".npy":
        found = pd.DataFrame(np.load(output))
    elif suffix in (".csv", ".tsv"):
        found = pd.read_csv(output, sep="," if suffix == ".csv" else "\t", dtype={"id": str})
    else:
        found = pd.read_parquet(output) if suffix == ".parquet" else pd.read_feather(output)
    loaded = st.load_model(model)
    assert found["id"].tolist() == IDS["id"].tolist()
    if name == "price":
        assert list(found) == ["id", "prediction"]
        np.testing.assert_allclose(found["prediction"], loaded.predict(IDS), rtol=1e-12)
    else:
        assert list(found) == ["id", "class", "probability_no", "probability_yes"]
        assert found["class"].tolist() == loaded.predict(IDS).tolist()
        np.testing.assert_allclose(found[["probability_no", "probability_yes"]], loaded.predict_proba(IDS), rtol=1e-12)


def test_other_columns_and_another_order_change_nothing(folder: Path) -> None:
    expected = run("predict", folder / "price.json", folder / "table.csv").stdout
    IDS.assign(more="x")[["weight", "more", "colour", "size"]].to_csv(folder / "other.csv", index=False)
    assert run("predict", folder / "price.json", folder / "other.csv").stdout == expected
    IDS.to_parquet(folder / "other.parquet")
    assert run("predict", folder / "price.json", folder / "other.parquet").stdout == expected
    given = run("predict", folder / "price.json", "-", standard_input=folder / "table.csv")
    assert given.stdout == expected
    given = run("predict", folder / "price.json", "-", standard_input=folder / "other.parquet")
    assert given.stdout == expected


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (
            {"colour": "pink"},
            (),
            "column 'colour', row 1: level 'pink' is not one that the model knows (blue, green, red",
        ),
        (
            {"colour": None},
            (),
            f"column 'colour': {ROWS} rows have no value, first row 1, and the fit had none; --unknown",
        ),
        ({"size": None}, (), f"column 'size': {ROWS} rows have no value, first row 1, and the fit had none; fit with"),
        ({"size": "big"}, (), "column 'size' holds text such as 'big' in row 1; expected numbers"),
        ({}, ("--keep", "nothing"), "no column 'nothing'; the columns are size, weight, colour, price, sold, id"),
        ({"prediction": 1}, ("--keep", "prediction"), "--keep prediction: the output has a column of that name"),
    ],
)
def test_tables_that_cannot_be_predicted(
    folder: Path, change: dict[str, Any], arguments: tuple[str, ...], message: str
) -> None:
    IDS.assign(**change).to_csv(folder / "other.csv", index=False)
    assert complaint(run("predict", folder / "price.json", folder / "other.csv", *arguments)).startswith(message)
    assert not (folder / "out.csv").exists()


def test_several_absent_columns_are_all_named(folder: Path) -> None:
    IDS[["size", "id"]].to_csv(folder / "other.csv", index=False)
    message = complaint(run("predict", folder / "price.json", folder / "other.csv"))
    assert message == "no columns 'weight', 'colour'; the columns are size, id"


def test_the_measures_of_evaluate_are_those_of_scikit_learn(folder: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    weight = np.arange(ROWS) % 4
    IDS.assign(w=weight).to_csv(folder / "weighted.csv", index=False)
    for options, weights in (((), None), (("--weight", "w"), weight)):
        found = json.loads(run("evaluate", folder / "sold.json", folder / "weighted.csv", "--json", *options).stdout)
        model = st.load_model(folder / "sold.json")
        probability, y = model.predict_proba(IDS)[:, 1], FRAME["sold"] == "yes"
        expected = {
            "accuracy": metrics.accuracy_score(y, probability > 0.5, sample_weight=weights),
            "log_loss": metrics.log_loss(y, probability, sample_weight=weights),
            "auc": metrics.roc_auc_score(y, probability, sample_weight=weights),
        }
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-12)
        recall = metrics.recall_score(y, probability > 0.5, sample_weight=weights)
        assert found["recall"]["yes"] == pytest.approx(recall)
    text = run("evaluate", folder / "sold.json", folder / "table.csv").stdout
    assert text.startswith(f"{ROWS} rows of table.csv\n")
    for word in ("accuracy", "base rate", "log loss", "AUC", "recall", "precision"):
        assert word in text


def test_evaluate_of_numbers(folder: Path) -> None:
    found = json.loads(run("evaluate", folder / "price.json", folder / "table.csv", "--json").stdout)
    error = st.load_model(folder / "price.json").predict(IDS) - FRAME["price"]
    assert found["rmse"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert found["mae"] == pytest.approx(np.mean(np.abs(error)))
    assert found["r2"] == pytest.approx(1 - np.mean(error**2) / np.var(FRAME["price"]))
    IDS.drop(columns="price").to_csv(folder / "blind.csv", index=False)
    message = complaint(run("evaluate", folder / "price.json", folder / "blind.csv"))
    assert message.startswith("no column 'price'; the columns are size, ")


def test_explain(folder: Path) -> None:
    text = run("explain", folder / "sold.json").stdout
    for line in (
        "LogisticClassifier with the loss logistic; target 'sold' with the classes no, yes",
        "  'colour': a category with 3 levels, baseline 'blue'",
        "  'size': a number",
        "settings: loss logistic, target sold, drop ['price']",
    ):
        assert line in text
    assert "fitted to table.csv (300 rows, SHA-256 " in text
    content = json.loads((folder / "sold.json").read_text())
    assert json.loads(run("explain", folder / "sold.json", "--json").stdout) == content


def test_rows_that_the_fit_would_have_left_out_get_no_prediction(folder: Path) -> None:
    holes = IDS.assign(size=IDS["size"].mask(IDS.index == 2))
    holes.to_csv(folder / "holes.csv", index=False)
    run("fit", folder / "holes.csv", *SOLD, "--missing", "drop", "--quiet", "--model", folder / "drop.json")
    result = run("predict", folder / "drop.json", folder / "holes.csv")
    assert (
        result.stderr == "steepest: 1 rows have missing values and get no prediction, as the fit left out such rows\n"
    )
    assert result.stdout.splitlines()[3] == ",,"
    assert result.stdout.count("\n") == ROWS + 1
    assert run("evaluate", folder / "drop.json", folder / "holes.csv").stdout.startswith("1 rows left out, which have")


WHEN = pd.date_range("2020-01-06 03:00", periods=400, freq="37h")
FORMATS = {
    "iso": WHEN.strftime("%Y-%m-%dT%H:%M:%S"),
    "spaced": WHEN.strftime("%Y-%m-%d %H:%M"),
    "zoned": WHEN.strftime("%Y-%m-%d %H:%M:%S+00:00"),
    "german": WHEN.strftime("%d.%m.%Y %H:%M"),
    "american": WHEN.strftime("%m/%d/%Y %H:%M"),
    "british": WHEN.strftime("%d-%m-%Y %H:%M:%S"),
    "slashed": WHEN.strftime("%Y/%m/%d %H:%M"),
    "category": WHEN.astype(str).astype("category"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_dates_in_every_format_give_the_same_model(tmp_path: Path, name: str) -> None:
    y = np.arange(400.0) ** 1.5 + np.random.default_rng(0).normal(size=400)
    models = []
    for when in (WHEN, FORMATS[name]):
        frame = pd.DataFrame({"when": when, "y": y})
        path = tmp_path / ("a.parquet" if when is WHEN or name == "category" else "a.csv")
        frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
        assert run("fit", path, "--target", "y", "--quiet", "--model", tmp_path / "model.json").exit_code == 0
        models.append(json.loads((tmp_path / "model.json").read_text()))
        assert run("predict", tmp_path / "model.json", path).exit_code == 0
    assert models[0]["coefficients"] == pytest.approx(models[1]["coefficients"])
    assert {"when.year", "when.month=Feb", "when.weekday=Sun", "when.elapsed", "when.hour"} <= set(
        models[0]["coefficients"]
    )
    (parts,) = [column["parts"] for column in models[0]["columns"]]
    assert parts[1]["levels"] == ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def test_the_effect_of_a_day_is_found(tmp_path: Path) -> None:
    """The target rises by 2 a day and is 10 higher on Sundays, without noise: the coefficients are known."""
    days = pd.date_range("2020-01-06", periods=300)
    y = 2.0 * np.arange(300) + 10 * (days.day_of_week == 6)
    pd.DataFrame({"day": days.strftime("%Y%m%d").astype(int), "y": y}).to_csv(tmp_path / "a.csv", index=False)
    run("fit", tmp_path / "a.csv", "--target", "y", "--quiet", "--model", tmp_path / "m.json")
    coefficients = json.loads((tmp_path / "m.json").read_text())["coefficients"]
    assert coefficients["day.elapsed"] == pytest.approx(2, abs=1e-6)
    assert coefficients["day.weekday=Sun"] == pytest.approx(10, abs=1e-6)
    assert coefficients["day.weekday=Wed"] == pytest.approx(0, abs=1e-6)
    pd.DataFrame({"day": [20210104]}).to_csv(tmp_path / "b.csv", index=False)  # 364 days after the first, a Monday
    assert float(run("predict", tmp_path / "m.json", tmp_path / "b.csv").stdout.split()[1]) == pytest.approx(728)
    pd.DataFrame({"day": [20210104.0, np.nan]}).to_parquet(tmp_path / "b.parquet")
    message = complaint(run("predict", tmp_path / "m.json", tmp_path / "b.parquet"))
    assert message.startswith("column 'day': row 2 has no value, and the fit had none; fit with")
    pd.DataFrame({"day": [20211301]}).to_csv(tmp_path / "b.csv", index=False)
    message = complaint(run("predict", tmp_path / "m.json", tmp_path / "b.csv"))
    assert message == "column 'day', row 1: '20211301' is not a date like the others"


@pytest.mark.parametrize(
    ("dates", "message"),
    [
        (["01/02/2020", "03/04/2020"], "has dates such as '01/02/2020', where day and month cannot be told apart"),
        (["2020-01-02", "2020-01-03", "unknown"], "has dates, and 'unknown', which is none: correct it, or add --na"),
        (["3rd of May 2020", "4th of May 2020"], "has dates of which some cannot be read, such as '3rd of May 2020'"),
        (["Mon, Jan 6", "Tue, Jan 7"], "has dates of which some cannot be read, such as 'Mon, Jan 6'"),
        (["99-99-2020", "12-34-5678"], "has dates of which some cannot be read, such as '99-99-2020'"),
        (["2020-01-02", "2020-02-31"], "has dates of which some cannot be read, such as '2020-01-02'"),
    ],
)
def test_dates_that_cannot_be_told_are_refused(tmp_path: Path, dates: list[str], message: str) -> None:
    pd.DataFrame({"day": dates * 20, "y": range(20 * len(dates))}).to_csv(tmp_path / "a.csv", index=False)
    complained = complaint(run("fit", tmp_path / "a.csv", "--target", "y"))
    assert complained.startswith(f"column 'day' {message}")
    assert "--drop 'day'" in complained


def test_booleans_and_missing_ones(tmp_path: Path) -> None:
    """true, TRUE and True are kept as they are written; the levels of a typed column are False and True."""
    y = [0.0, 1.0, 0.5] * 20
    for texts, levels in (
        (["true", "false", ""], ["false", "true", "(missing)"]),
        (["TRUE", "FALSE", "TRUE"], ["FALSE", "TRUE"]),
        (["True", "False", ""], ["False", "True", "(missing)"]),
    ):
        lines = "".join(f"{text},{value}\n" for text, value in zip(texts * 20, y, strict=True))
        (tmp_path / "a.csv").write_text("b,y\n" + lines)
        run("fit", tmp_path / "a.csv", "--target", "y", "--missing", "mean", "--quiet", "--model", tmp_path / "m.json")
        assert json.loads((tmp_path / "m.json").read_text())["columns"][0]["levels"] == levels
        assert run("predict", tmp_path / "m.json", tmp_path / "a.csv").exit_code == 0


def test_other_separators_decimals_encodings_and_missing_values(tmp_path: Path) -> None:
    text = "größe;farbe;y\n1,5;rot;2,5\n2,5;blau;3,25\n-;grün;4,0\n" * 1 + "3,5;rot;5\n" * 20
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    options = ("--target", "y", "--loss", "least-squares", "--missing", "drop", "--decimal", ",", "--na", "-")
    message = complaint(run("fit", tmp_path / "a.csv", *options))
    assert "codec can't decode" in message
    assert message.endswith("--encoding names another, such as latin-1")
    result = run("fit", tmp_path / "a.csv", *options, "--encoding", "latin-1", "--model", tmp_path / "m.json")
    assert result.exit_code == 0, result
    assert "23 rows read, 1 left out (missing values); 22 used" in result.stdout
    again = run("predict", tmp_path / "m.json", tmp_path / "a.csv")  # read as the first was
    assert again.stdout.count("\n") == 24


def test_weights_mean_copies_of_rows(tmp_path: Path) -> None:
    weight = np.arange(ROWS) % 3 + 1
    FRAME.assign(w=weight).to_csv(tmp_path / "w.csv", index=False)
    FRAME.loc[np.repeat(FRAME.index, weight)].to_csv(tmp_path / "copies.csv", index=False)
    saved = []
    for name, options in (("w.csv", ("--weight", "w")), ("copies.csv", ())):
        for case in (SOLD, PRICE):
            run(
                "fit", tmp_path / name, *case, *options, "--test-fraction", 0, "--quiet", "--model", tmp_path / "m.json"
            )
            saved.append(json.loads((tmp_path / "m.json").read_text()))
    for weighted, copied in ((saved[0], saved[2]), (saved[1], saved[3])):
        for key in ("coefficients", "standard_errors"):
            assert weighted[key] == pytest.approx(copied[key], rel=1e-5), key
        for key, value in copied["metrics"]["training"].items():
            if isinstance(value, float):
                assert weighted["metrics"]["training"][key] == pytest.approx(value, rel=1e-6), key


def test_rows_of_weight_0_are_left_out(tmp_path: Path) -> None:
    weight = (np.arange(ROWS) % 4 > 0).astype(int)
    FRAME.assign(w=weight).to_csv(tmp_path / "w.csv", index=False)
    FRAME[weight > 0].to_csv(tmp_path / "some.csv", index=False)
    result = run("fit", tmp_path / "w.csv", *PRICE, "--weight", "w", "--model", tmp_path / "w.json")
    assert "300 rows read, 75 left out (weight 0); 180 used, 45 held out" in result.stdout
    run("fit", tmp_path / "some.csv", *PRICE, "--model", tmp_path / "some.json")
    saved = [json.loads((tmp_path / name).read_text()) for name in ("w.json", "some.json")]
    assert saved[0]["coefficients"] == pytest.approx(saved[1]["coefficients"])
    assert saved[0]["metrics"]["test"]["rmse"] == pytest.approx(saved[1]["metrics"]["test"]["rmse"])


def test_rows_in_errors_are_those_of_the_file(tmp_path: Path) -> None:
    sold = FRAME["sold"].mask(FRAME.index < 10)
    FRAME.assign(sold=sold, w=[1.0] * 20 + [-1.0] + [1.0] * (ROWS - 21)).to_csv(tmp_path / "a.csv", index=False)
    message = complaint(run("fit", tmp_path / "a.csv", *SOLD, "--missing", "drop", "--weight", "w"))
    assert message == "column 'w', row 21: a weight must be at least 0, got -1"


def test_rows_of_another_file_choose_the_epoch(tmp_path: Path) -> None:
    FRAME[:200].to_csv(tmp_path / "a.csv", index=False)
    FRAME[200:].to_csv(tmp_path / "b.csv", index=False)
    options = ("--validation", tmp_path / "b.csv", "--optimizer", "adam", "--max-epochs", 20)
    result = run("fit", tmp_path / "a.csv", *SOLD, *options)
    assert result.exit_code == 0, result
    assert "200 rows read; 160 used, 100 of b.csv choose the epoch, 40 held out to test the model" in result.stdout
    assert "has the lowest validation loss and is kept" in result.stderr
    assert "training    validation          test" in result.stdout
    found = json.loads(run("fit", tmp_path / "a.csv", *SOLD, *options, "--json").stdout)
    assert (found["rows"]["validation"], found["metrics"]["validation"]["rows"]) == (100, 100)
    FRAME.assign(colour="pink").to_csv(tmp_path / "b.csv", index=False)
    message = complaint(run("fit", tmp_path / "a.csv", *SOLD, *options))
    assert message.startswith("--validation b.csv: column 'colour', row 1: level 'pink' is not one")


def test_the_json_of_a_fit_is_all_that_it_prints(tmp_path: Path) -> None:
    FRAME.to_csv(tmp_path / "a.csv", index=False)
    result = run("fit", tmp_path / "a.csv", *SOLD, "--json", "--model", tmp_path / "m.json")
    found, saved = json.loads(result.stdout), json.loads((tmp_path / "m.json").read_text())
    assert result.stderr == ""
    for key in ("coefficients", "intercept", "standard_errors", "metrics", "loss", "classes"):
        assert found[key] == saved[key]
    assert (found["converged"], found["rows"]["read"], found["rows"]["test"]) == (True, ROWS, 60)

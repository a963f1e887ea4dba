"""svmlight files and models of many columns: what is read, what is refused, and what a model file says."""

from __future__ import annotations

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import steepest as st
from command_line import complaint, run
from real_tables import halves, table
from steepest.cli.numbered import Numbered
from steepest.cli.readers import load_table
from steepest.cli.tables import TableError

ROWS, COLUMNS = 300, 5000


def lines(first: int = 1, **extra: str) -> list[str]:
    """Lines of a file in which column j of row i is 1 for j = i mod 7, and for two columns that no other row has."""
    made = []
    for i in range(ROWS):
        columns = sorted({first + i % 7, first + 1000 + 2 * i, first + 1001 + 2 * i})
        made.append(f"{i % 7 % 2} " + " ".join(f"{j}:1" for j in columns))
    for row, text in extra.items():
        made[int(row[1:])] = text
    return made


def written(path: Path, *args: Any, **extra: str) -> Path:
    path.write_text("\n".join([*lines(*args, **extra)]) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("1 7:0.5 3:1", "line 5: expected rising numbers of columns from 0 or 1, got column 3 comes after column 7"),
        ("1 7:0.5 7:1", "line 5: expected rising numbers of columns from 0 or 1, got column 7 comes after column 7"),
        ("1 3:1 3000000000:2", "line 5: expected numbers of columns below 2,147,483,648, got 3000000000"),
        ("1 -7:0.5", "line 5: expected rising numbers of columns from 0 or 1, got column -7"),
        ("one 7:0.5", "line 5: expected a number as the label, got 'one'"),
        ("1,2 7:0.5", "line 5: expected a number as the label, got '1,2'"),
        ("1 7:half", "line 5: expected the number of a column, a colon and a value, such as 7:0.5, got '7:half'"),
        ("1 seven:0.5", "line 5: expected the number of a column, a colon and a value, such as 7:0.5, got 'seven:0.5'"),
        ("1 7:0.5 8", "line 5: expected the number of a column, a colon and a value, such as 7:0.5, got '8'"),
        ("1 qid:3 7:0.5 8", "line 5: expected the number of a column, a colon and a value, such as 7:0.5, got '8'"),
        ("1 99999999999:1", "line 5: expected numbers of columns below 2,147,483,648, got 99999999999"),
    ],
)
def test_a_line_that_cannot_be_read(tmp_path: Path, line: str, what: str) -> None:
    path = written(tmp_path / "bad.svm", r4=line)
    with pytest.raises(TableError) as error:
        load_table(path)
    assert str(error.value) == f"{path} cannot be read as svmlight: {what}"
    assert what in complaint(run("fit", path))


def test_infinite_values_name_column_and_row(tmp_path: Path) -> None:
    path = written(tmp_path / "bad.svm", r4="1 1:1 77:inf")
    with pytest.raises(TableError, match=r"column '77' has values that are not finite in float64, the first in row 5$"):
        load_table(path)


def test_comments_groups_and_explicit_zeros(tmp_path: Path) -> None:
    plain = load_table(written(tmp_path / "a.svm")).numbered
    path = written(tmp_path / "b.svm", r0=f"# a comment\n{lines()[0]} 9000:0 # another", r1="")
    with pytest.warns(UserWarning, match=r"c\.svm: the groups of rows \(qid\) are not used$"):
        grouped = load_table(written(tmp_path / "c.svm", r0=lines()[0].replace(" ", " qid:3 ", 1)))
    assert abs(grouped.numbered.matrix - plain.matrix).max() == 0
    read = load_table(path).numbered
    assert read.numbering.last == 9000
    assert 9000 not in read.numbering.numbers
    assert read.matrix.shape[0] == ROWS - 1
    said = run("fit", tmp_path / "c.svm", "--max-epochs", 1).stderr
    assert "c.svm: the groups of rows (qid) are not used" in said


def test_a_column_of_a_huge_number_takes_no_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "a.svm", r0="1 1:1 2000000000:1")
    tracemalloc.start()
    read = load_table(path).numbered
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (read.numbering.first, read.numbering.last) == (1, 2_000_000_000)
    assert read.numbering.numbers[-1] == 2_000_000_000
    assert peak < 2e6


@pytest.mark.parametrize("first", [0, 1])
def test_columns_by_name(tmp_path: Path, first: int) -> None:
    read = load_table(written(tmp_path / "a.svm", first))
    assert read.column(str(first)) == str(first)
    for name in ("01", "-1", "x", str(1 - first) if first else "99999"):
        with pytest.raises(TableError, match=rf"^no column '{name}'; the columns are {first}, {first + 1}, "):
            read.column(name)
    assert read.values(str(first + 3)).tolist() == [float(i % 7 == 3) for i in range(ROWS)]
    assert read.values(str(first + 500)).tolist() == [0.0] * ROWS
    assert read.listed().endswith(f", ... ({1002 + 2 * (ROWS - 1):,} in all), y")


def test_columns_of_another_table_in_the_order_of_a_model() -> None:
    X = sp.random_array((30, 40), density=0.2, format="csr", rng=np.random.default_rng(0))
    given = Numbered.of_file(sp.csr_matrix(X))
    for wanted in ([], [0], [39], [3, 7, 41], list(range(40)), [*range(0, 40, 2), 1000]):
        found = given.aligned(np.array(wanted, np.int64)).toarray()
        padded = np.hstack([X.toarray(), np.zeros((30, 961))])
        np.testing.assert_array_equal(found, padded[:, wanted])
    left = given.without([3, 39, 77])
    np.testing.assert_array_equal(left.matrix.toarray(), X.toarray()[:, left.numbering.numbers])
    assert left.numbering.width == 38
    assert left.numbering.positions.tolist() == [j - (j > 3) for j in left.numbering.numbers]


@pytest.mark.parametrize("policy", ["error", "drop", "mean", "median", "category"])
def test_missing_values(tmp_path: Path, policy: str) -> None:
    """A column with missing values is dense. Its mean is that of the other values, zeros among them."""
    path = written(tmp_path / "a.svm", r4="1 1:nan 5:1", r14="0 1:nan 1028:1 1029:1")
    options = ("--test-fraction", 0, "--missing", policy, "--model", tmp_path / "m.json", "--max-epochs", 50)
    result = run("fit", path, *options, "--json")
    if policy == "error":
        assert "a column has missing values in 300 rows: '1' (2)" in complaint(result)
        return
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["rows"]["training"] == ROWS - 2 * (policy == "drop")
    content = json.loads((tmp_path / "m.json").read_text())
    column = {"name": "1", "kind": "number", "fill": None, "flagged": policy == "category"}
    if policy != "drop":
        ones = sum(i % 7 == 0 for i in range(ROWS)) - 1  # the first missing one is no multiple of 7
        column["fill"] = 0.0 if policy == "median" else pytest.approx(ones / (ROWS - 2), rel=1e-12)
    assert content["columns"] == [column]
    assert content["numbered"]["unused"] == [1]
    assert 1 not in content["numbered"]["numbers"]
    made = run("predict", tmp_path / "m.json", path).stdout.splitlines()
    assert len(made) == ROWS + 1
    assert sum(line.startswith(",") for line in made) == 2 * (policy == "drop")
    new = written(tmp_path / "b.svm", r9="1 2:nan")
    result = run("predict", tmp_path / "m.json", new)
    if policy == "drop":
        assert sum(line.startswith(",") for line in result.stdout.splitlines()) == 1
    else:
        assert complaint(result).startswith("column '2', row 10: no value")


def test_a_numbered_category(tmp_path: Path) -> None:
    """Column 1 as text has the levels 0 and 1: the same model as with numbers, under another name."""
    path, out = written(tmp_path / "a.svm"), ("--max-epochs", 200, "--no-standardize", "--json", "--test-fraction", 0)
    models = []
    for options in ((), ("--categorical", 1)):
        result = run("fit", path, *options, *out, "--model", tmp_path / "m.json")
        assert result.exit_code == 0, result.stderr
        models.append(json.loads((tmp_path / "m.json").read_text()))
    numbers, categories = models
    assert list(categories["coefficients"]) == ["1=1"]
    at = numbers["numbered"]["numbers"].index(1)
    assert categories["coefficients"]["1=1"] == pytest.approx(numbers["numbered"]["coefficients"][at], abs=1e-5)
    assert categories["intercept"] == pytest.approx(numbers["intercept"], abs=1e-5)
    found = [run("predict", tmp_path / "m.json", path).stdout for _ in range(2)]
    assert found[0] == found[1]
    reread = st.load_model(tmp_path / "m.json")
    assert reread["columns"].n_features_in_ == 1002 + 2 * (ROWS - 1)
    st.save_model(reread, tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == (tmp_path / "m.json").read_text()


def test_rows_without_weight_are_left_out(tmp_path: Path) -> None:
    """Column 1 is 1 in every seventh row and 0 in the others: the model is that of these rows alone."""
    weighted, alone = tmp_path / "a.svm", tmp_path / "b.svm"
    labelled = [f"{i // 7 % 5}{line[1:]}" for i, line in enumerate(lines())]
    weighted.write_text("\n".join(labelled) + "\n")
    alone.write_text("\n".join(labelled[::7]).replace(" 1:1", "") + "\n")
    found = []
    for path, options in ((weighted, ("--weight", 1)), (alone, ())):
        fixed = ("--test-fraction", 0, "--loss", "least-squares", "--alpha", 1, "--no-standardize", "--json")
        result = run("fit", path, *options, *fixed)
        assert result.exit_code == 0, result.stderr
        told = json.loads(result.stdout)
        assert told["rows"]["training"] == len(range(0, ROWS, 7))
        pairs = zip(told["numbered"]["numbers"], told["numbered"]["coefficients"], strict=True)
        found.append({number: each for number, each in pairs if each != 0.0})  # columns of rows without weight have 0
    assert len(found[0]) > 60
    assert found[0] == pytest.approx(found[1], abs=1e-7)


def test_models_of_few_and_of_many_columns_read_each_others_files(tmp_path: Path) -> None:
    """A small file becomes a data frame and a wide one a sparse matrix, and the models do not care."""
    few = tmp_path / "few.svm"
    few.write_text("".join(f"{i % 2} 1:{i % 2} 2:{i % 5}\n" for i in range(60)))
    wide = written(tmp_path / "wide.svm")
    for path in (few, wide):
        assert run("fit", path, "--model", tmp_path / f"{path.stem}.json", "--max-epochs", 20).exit_code == 0
    assert json.loads((tmp_path / "few.json").read_text())["format"] == 1
    made = run("predict", tmp_path / "wide.json", few)
    assert made.exit_code == 0, made.stderr
    assert len(made.stdout.splitlines()) == 61
    assert complaint(run("predict", tmp_path / "few.json", wide)).startswith("the model has no columns '3', '4'")
    made = run("predict", tmp_path / "few.json", wide, "--unknown", "baseline")
    assert made.exit_code == 0, made.stderr
    assert len(made.stdout.splitlines()) == ROWS + 1
    empty = tmp_path / "empty.svm"
    empty.write_text("1\n0\n")
    content = json.loads((tmp_path / "wide.json").read_text())
    alone = pd.read_csv(io.StringIO(run("predict", tmp_path / "wide.json", empty).stdout))["probability_1"]
    np.testing.assert_allclose(alone, 1 / (1 + np.exp(-content["intercept"])), rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": 9}, "'numbered': 'numbers' must be a list of rising numbers from 9 to"),
        ({"last": 0}, "'numbered': 'first' and 'last' must be numbers of columns"),
        ({"numbers": []}, "'numbered': 'numbers' must have one number or more"),
        ({"numbers": [2, 1]}, "'numbered': 'numbers' must be a list of rising numbers from 1 to"),
        ({"unused": [1]}, "'numbered': 'numbers' must have one number or more, and none of 'unused'"),
        ({"coefficients": [1.0]}, r"'numbered': 'coefficients' must be a list of \d+ numbers"),
        ({"coefficients": None}, r"'numbered': 'coefficients' must be a list of \d+ numbers"),
        ({"deviations": None}, "'numbered': 'deviations' must be a list, as outside of it"),
        ({"more": 1}, "'numbered' must be an object with coefficients, deviations, first"),
    ],
)
def test_a_model_file_that_was_tampered_with(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "m.json"
    assert run("fit", written(tmp_path / "a.svm"), "--model", path, "--max-epochs", 5).exit_code == 0
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "numbered": {**content["numbered"], **change}}))
    with pytest.raises(TableError, match=message):
        st.load_model(path)


def test_an_estimator_of_many_columns_is_saved_by_its_numbers(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    ends = sp.csr_array(([1.0, 1.0], ([0, 0], [0, COLUMNS - 1])))
    X = sp.vstack([ends, sp.random_array((199, COLUMNS), density=0.002, rng=rng)], format="csr")
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)  # as scikit-learn writes them
    y = rng.integers(0, 3, 200)
    model = st.LogisticClassifier(max_iter=20, tol=0).fit(X, y)
    st.save_model(model, tmp_path / "m.json")
    assert (tmp_path / "m.json").stat().st_size < 60 * np.count_nonzero(model.coef_) + 5000
    again = st.load_model(tmp_path / "m.json")
    np.testing.assert_allclose(again.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    np.testing.assert_allclose(again.predict_proba(X.toarray()), model.predict_proba(X), rtol=1e-12)
    for first in (0, 1):
        dump_svmlight_file(X, y, str(tmp_path / "a.svm"), zero_based=first == 0)
        result = run("predict", tmp_path / "m.json", tmp_path / "a.svm")
        if first == 1:
            assert complaint(result).startswith("no column '0'; the columns are 1, 2")
        else:
            found = pd.read_csv(io.StringIO(result.stdout))[[f"probability_{label}" for label in range(3)]]
            np.testing.assert_allclose(found, model.predict_proba(X), rtol=1e-9)


def test_one_hot_columns_of_many_levels(tmp_path: Path) -> None:
    """Tail numbers have over 1,000 levels: scikit-learn's model of the same columns and rows, to 1e-5."""
    frame = table("flights")[["tailnum", "dest", "distance", "arr_delay"]].dropna()
    frame["late"] = np.where(frame["arr_delay"] > 15, "late", "in time")
    frame = frame.drop(columns="arr_delay")
    first, second = halves(frame, "late")
    first.to_parquet(tmp_path / "a.parquet")
    second.to_parquet(tmp_path / "b.parquet")
    alpha = 1e-2
    options = ("--target", "late", "--test-fraction", 0, "--alpha", alpha, "--model", tmp_path / "m.json", "--json")
    options = ("--categorical", "tailnum", *options)  # of so few rows, most tail numbers have only one
    result = run("fit", tmp_path / "a.parquet", *options)
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert told["converged"], told
    X = sp.hstack([OneHotEncoder(drop="first").fit_transform(first[["tailnum", "dest"]]), first[["distance"]]])
    reference = make_pipeline(
        StandardScaler(with_mean=False), LogisticRegression(C=1 / (len(first) * alpha), tol=1e-10, max_iter=10_000)
    ).fit(X.tocsr(), first["late"])
    scales = reference[0].scale_
    names = [f"{name}={level}" for name in ("tailnum", "dest") for level in sorted(first[name].unique())[1:]]
    found = np.array([told["coefficients"][name] for name in [*names, "distance"]])
    np.testing.assert_allclose(found * scales, reference[1].coef_[0], atol=1e-5)
    lines = run("fit", tmp_path / "a.parquet", *options[:-1]).stdout
    assert f"3 columns (1 number, 2 categories) become {len(found):,} features, kept sparse: 0." in lines
    assert "column 'tailnum' has 1," in lines
    told = complaint(run("evaluate", tmp_path / "m.json", tmp_path / "b.parquet"))
    assert "is not one that the model knows" in told
    found = run("evaluate", tmp_path / "m.json", tmp_path / "b.parquet", "--unknown", "baseline", "--json")
    known = second["tailnum"].isin(first["tailnum"]) & second["dest"].isin(first["dest"])
    assert 0 < known.sum() < len(second)
    assert json.loads(found.stdout)["rows"] == len(second)
    second[known].to_parquet(tmp_path / "known.parquet")
    found = json.loads(run("evaluate", tmp_path / "m.json", tmp_path / "known.parquet", "--json").stdout)
    encoder = OneHotEncoder(drop="first").fit(first[["tailnum", "dest"]])
    X = sp.hstack([encoder.transform(second[known][["tailnum", "dest"]]), second[known][["distance"]]]).tocsr()
    assert found["accuracy"] == pytest.approx(reference.score(X, second[known]["late"]), abs=1e-12)


@pytest.mark.slow
def test_a_wide_file_takes_memory_for_its_numbers_only(tmp_path: Path) -> None:
    """100,000 rows of 1,000,000 columns, 500,000 numbers: 800 GB if dense, 6 MB as CSR."""
    rows, columns, numbers = 100_000, 1_000_000, 500_000
    rng = np.random.default_rng(4)
    indices = (columns ** rng.random(numbers)).astype(np.int32) - 1
    indptr = np.arange(0, numbers + 1, numbers // rows, dtype=np.int32)
    X = sp.csr_matrix((np.ones(numbers), indices, indptr), shape=(rows, columns))
    X.sum_duplicates()
    y = (np.asarray(X[:, :3].sum(axis=1)).ravel() + rng.logistic(size=rows) > 1).astype(int)
    dump_svmlight_file(X, y, str(tmp_path / "wide.svm"), zero_based=False)
    few = ("--max-epochs", 3, "--no-standardize", "--quiet", "--model", tmp_path / "m.json")
    peaks = {}
    for name, command in {
        "fit": ("fit", tmp_path / "wide.svm", *few),
        "evaluate": ("evaluate", tmp_path / "m.json", tmp_path / "wide.svm", "--json"),
        "explain": ("explain", tmp_path / "m.json"),
    }.items():
        tracemalloc.start()
        result = run(*command)
        peaks[name] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "m.json").read_text())["numbered"]["last"] <= columns
    assert (tmp_path / "m.json").stat().st_size < 80 * len(np.unique(X.indices))
    assert max(peaks.values()) < 120e6, peaks

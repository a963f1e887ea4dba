"""svmlight files with many columns, by the command line: fits of real rows, beside scikit-learn's of the same file."""

from __future__ import annotations

import io
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.linear_model import Lasso, LogisticRegression, PoissonRegressor, Ridge
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import steepest as st
from command_line import complaint, run
from real_tables import table

ALPHA = 1e-3
FITS = 1e-5  # largest difference of a coefficient, as a part of the largest one


@cache
def flights() -> tuple[Any, pd.DataFrame]:
    """Every level of tail number, destination and carrier has a column; distances in 1,000 miles, and the table."""
    frame = table("flights")[["tailnum", "dest", "carrier", "distance", "arr_delay", "origin"]].dropna()
    levels = OneHotEncoder().fit_transform(frame[["tailnum", "dest", "carrier"]])
    distance = sp.csr_matrix(frame[["distance"]].to_numpy() / 1000)
    return sp.hstack([levels, distance], format="csr"), frame.reset_index(drop=True)


def targets(name: str) -> np.ndarray[Any, Any]:
    frame = flights()[1]
    if name == "late":
        return (frame["arr_delay"] > 15).to_numpy(float)
    if name == "origin":
        return frame["origin"].astype("category").cat.codes.to_numpy(float)
    return np.maximum(frame["arr_delay"], 0).round().to_numpy(float) if name == "minutes" else frame[name].to_numpy()


def fitted(folder: Path, y: Any, *options: object, first: int = 1) -> tuple[Any, dict[str, Any]]:
    """The model of the command line and what it says, of a file that counts from 1 or from 0."""
    X, _ = flights()
    dump_svmlight_file(X, y, str(folder / "flights.svm"), zero_based=first == 0)
    arguments = ("--test-fraction", 0, "--model", folder / "model.json", "--json", *options)
    result = run("fit", folder / "flights.svm", *arguments)
    assert result.exit_code == 0, result.stderr
    return st.load_model(folder / "model.json"), json.loads(result.stdout)


def all_coefficients(model: Any, first: int = 1) -> np.ndarray[Any, Any]:
    """The coefficients of all columns of the file, of shape (scores, columns)."""
    own = np.atleast_2d(model["model"].coef_)
    w = np.zeros((len(own), flights()[0].shape[1]))
    w[:, model["columns"].numbering_.numbers - first] = own
    return w


def check(model: Any, reference: Any, scale: Any = 1.0, first: int = 1) -> None:
    found, wanted = all_coefficients(model, first) * scale, np.atleast_2d(reference.coef_)
    size = max(1.0, float(np.abs(wanted).max()))
    np.testing.assert_allclose(found, wanted, atol=FITS * size, rtol=0)


def strength(share: float) -> float:
    """The strength of scikit-learn's penalty, which it adds to a sum, for ours, which is added to a mean."""
    return 1.0 / (len(flights()[1]) * share)


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("target", ["late", "origin"])
def test_classes(tmp_path: Path, target: str, first: int) -> None:
    X, y = flights()[0], targets(target)
    model, told = fitted(tmp_path, y, "--alpha", ALPHA, "--no-standardize", first=first)
    assert told["converged"], told
    reference = LogisticRegression(C=strength(ALPHA), tol=1e-10, max_iter=10_000).fit(X, y)
    check(model, reference, first=first)
    np.testing.assert_allclose(model.predict_proba(X), reference.predict_proba(X), atol=FITS)
    content = json.loads((tmp_path / "model.json").read_text())
    assert (content["format"], content["sparse"], content["columns"], content["coefficients"]) == (2, True, [], {})
    assert (content["numbered"]["first"], content["numbered"]["last"]) == (first, first + X.shape[1] - 1)


def test_scaled_columns(tmp_path: Path) -> None:
    """Scaled, not shifted: a shift of columns changes the intercept only, which has no penalty."""
    X, y = flights()[0], targets("late")
    scaler = StandardScaler(with_mean=False).fit(X)
    reference = LogisticRegression(C=strength(ALPHA), tol=1e-10, max_iter=10_000).fit(scaler.transform(X), y)
    model, told = fitted(tmp_path, y, "--alpha", ALPHA)
    assert told["converged"], told
    check(model, reference, scaler.scale_)


def test_an_l1_penalty_and_the_columns_in_the_file(tmp_path: Path) -> None:
    X, y = flights()[0], targets("late")
    model, told = fitted(tmp_path, y, "--alpha", ALPHA, "--l1-ratio", 1, "--no-standardize")
    assert told["converged"], told
    reference = LogisticRegression(C=strength(ALPHA), l1_ratio=1, solver="saga", tol=1e-9, max_iter=100_000).fit(X, y)
    check(model, reference)
    numbered = json.loads((tmp_path / "model.json").read_text())["numbered"]
    chosen = np.flatnonzero(reference.coef_[0]) + 1
    assert 5 < len(chosen) < 100
    assert numbered["numbers"] == chosen.tolist()
    assert 0 not in numbered["coefficients"]
    text = run("explain", tmp_path / "model.json").stdout
    assert f"  '1' to '{X.shape[1]}': numbers; {len(chosen)} of them have coefficients" in text
    assert f"({min(20, len(chosen))} largest effects of {len(chosen)})" in text or len(chosen) <= 20


def test_numbers(tmp_path: Path) -> None:
    X, y = flights()[0], targets("arr_delay")
    n, alpha = len(y), 1e-2
    squares = ("--loss", "least-squares", "--no-standardize", "--alpha", alpha)
    ridge = Ridge(alpha=alpha * n / 2, solver="sparse_cg", tol=1e-12).fit(X, y)
    model, told = fitted(tmp_path, y, *squares)
    assert told["converged"], told
    check(model, ridge)
    assert told["metrics"]["training"]["r2"] == pytest.approx(ridge.score(X, y), abs=1e-7)
    model, told = fitted(tmp_path, y, *squares[:-1], 0.1, "--l1-ratio", 1)
    assert told["converged"], told
    check(model, Lasso(alpha=0.1 / 2, tol=1e-12, max_iter=100_000).fit(X, y))
    y = targets("minutes")
    model, told = fitted(tmp_path, y, "--loss", "poisson", "--no-standardize", "--alpha", alpha)
    assert told["converged"], told
    check(model, PoissonRegressor(alpha=alpha, tol=1e-10, max_iter=10_000).fit(X, y))


def test_weights_and_left_out_columns(tmp_path: Path) -> None:
    """The last column, of distances, has the weights. The first carrier is left out, and the first tail number."""
    X, y = flights()[0], targets("late")
    last, out = X.shape[1], (1, X.shape[1] - 1)
    options = ("--weight", last, *(word for j in out for word in ("--drop", j)), "--no-standardize", "--alpha", ALPHA)
    model, told = fitted(tmp_path, y, *options)
    assert told["converged"], told
    weight = X[:, [last - 1]].toarray()[:, 0]
    kept = np.ones(last, bool)
    kept[[last - 1, *(j - 1 for j in out)]] = False
    reference = LogisticRegression(C=1 / (weight.sum() * ALPHA), tol=1e-10, max_iter=10_000)
    reference.fit(X[:, kept], y, sample_weight=weight)
    wanted = np.zeros(last)
    wanted[kept] = reference.coef_[0]
    np.testing.assert_allclose(all_coefficients(model)[0], wanted, atol=FITS)
    found = json.loads(run("evaluate", tmp_path / "model.json", tmp_path / "flights.svm", "--json").stdout)
    right = reference.predict(X[:, kept]) == y
    assert found["accuracy"] == pytest.approx(right.mean(), abs=1e-12)
    weighted = run("evaluate", tmp_path / "model.json", tmp_path / "flights.svm", "--weight", last, "--json")
    assert json.loads(weighted.stdout)["accuracy"] == pytest.approx(np.average(right, weights=weight), abs=1e-12)


def test_float32(tmp_path: Path) -> None:
    model, _ = fitted(tmp_path, targets("late"), "--alpha", ALPHA, "--no-standardize", "--dtype", "float32")
    exact, _ = fitted(tmp_path, targets("late"), "--alpha", ALPHA, "--no-standardize")
    np.testing.assert_allclose(all_coefficients(model), all_coefficients(exact), atol=2e-3)


def test_predictions_of_the_command_line_and_of_the_pipeline(tmp_path: Path) -> None:
    X, y = flights()[0], targets("late")
    model, _ = fitted(tmp_path, y, "--alpha", ALPHA)
    assert (
        run("predict", tmp_path / "model.json", tmp_path / "flights.svm", "--output", tmp_path / "p.npy").stderr == ""
    )
    printed = np.load(tmp_path / "p.npy")["probability_1"]
    for rows in (X, X.tocsc(), X.toarray(), X.astype(np.float32)):
        np.testing.assert_allclose(model.predict_proba(rows)[:, 1], printed, atol=1e-6)
    few = X[:5]
    frame = pd.DataFrame(few.toarray(), columns=[str(j + 1) for j in range(X.shape[1])])
    np.testing.assert_allclose(model.predict_proba(frame)[:, 1], printed[:5], atol=1e-12)
    np.save(tmp_path / "few.npy", few.toarray())
    found = pd.read_csv(io.StringIO(run("predict", tmp_path / "model.json", tmp_path / "few.npy").stdout))
    np.testing.assert_allclose(found["probability_1"], printed[:5], atol=1e-12)
    with pytest.raises(ValueError, match=f"X must have {X.shape[1]:,} columns, got 3"):
        model.predict(X[:, :3])
    again = model.fit(X, y)
    assert again["model"].n_features_in_ == X.shape[1]


def test_a_validation_file_and_rows_held_out(tmp_path: Path) -> None:
    X, y = flights()[0], targets("late")
    dump_svmlight_file(X[::2], y[::2], str(tmp_path / "a.svm"), zero_based=False)
    dump_svmlight_file(X[1::2], y[1::2], str(tmp_path / "b.svm"), zero_based=False)
    options = ("--patience", 3, "--optimizer", "gradient-descent", "--json", "--no-standardize")
    result = run(
        "fit", tmp_path / "a.svm", "--validation", tmp_path / "b.svm", "--model", tmp_path / "m.json", *options
    )
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    n = len(y[::2])
    assert told["rows"]["validation"] == len(y[1::2])
    assert told["rows"]["test"] == pytest.approx(0.2 * n, abs=1)
    assert told["rows"]["training"] + told["rows"]["test"] == n
    found = json.loads(run("evaluate", tmp_path / "m.json", tmp_path / "b.svm", "--json").stdout)
    assert told["metrics"]["validation"] == {key: found[key] for key in told["metrics"]["validation"]}


def test_files_that_count_from_another_number(tmp_path: Path) -> None:
    X, y = flights()[0], targets("late")
    for first in (0, 1):
        fitted(tmp_path, y, "--max-epochs", 5, first=first)
        dump_svmlight_file(X, y, str(tmp_path / "other.svm"), zero_based=first == 1)
        odd = 0 if first == 1 else X.shape[1]
        for command in ("predict", "evaluate"):
            told = complaint(run(command, tmp_path / "model.json", tmp_path / "other.svm"))
            assert told.startswith(f"the model has no column '{odd}', where the file has numbers other than 0")
        told = complaint(run("fit", tmp_path / "flights.svm", "--validation", tmp_path / "other.svm"))
        assert told.startswith(f"--validation other.svm: the model has no column '{odd}'")


def test_unknown_columns_may_be_left_out(tmp_path: Path) -> None:
    X, y = flights()[0], targets("late")
    model, _ = fitted(tmp_path, y, "--max-epochs", 20)
    more = sp.hstack([X, sp.csr_matrix(np.ones((X.shape[0], 1)))], format="csr")
    dump_svmlight_file(more, y, str(tmp_path / "more.svm"), zero_based=False)
    assert "--unknown baseline" in complaint(run("predict", tmp_path / "model.json", tmp_path / "more.svm"))
    made = run("predict", tmp_path / "model.json", tmp_path / "more.svm", "--unknown", "baseline")
    assert made.exit_code == 0, made.stderr
    assert len(made.stdout.splitlines()) == len(y) + 1
    np.testing.assert_allclose(
        pd.read_csv(io.StringIO(made.stdout))["probability_1"], model.predict_proba(X)[:, 1], atol=1e-12
    )


def test_the_file_that_scikit_learn_reads(tmp_path: Path) -> None:
    """The reader keeps the numbers of columns, and leaves out those that have no number other than 0."""
    from steepest.cli.readers import load_table

    fitted(tmp_path, targets("late"), "--max-epochs", 1)
    X, y = load_svmlight_file(str(tmp_path / "flights.svm"), zero_based=True)
    read = load_table(tmp_path / "flights.svm")
    assert list(read.frame.columns) == ["y"]
    np.testing.assert_array_equal(read.frame["y"], y)
    numbering = read.numbered.numbering
    assert (numbering.first, numbering.last) == (1, X.shape[1] - 1)
    assert abs(read.numbered.matrix - X[:, numbering.numbers]).max() == 0
    assert set(numbering.numbers) == set(X.indices)


def narrow(folder: Path, change: Any = None) -> tuple[Any, Any, Path]:
    """3,000 rows of 300 columns, of which 3% are not 0, their classes, and their file, which counts from 0."""
    rng = np.random.default_rng(1)
    X = sp.csr_matrix(sp.random_array((3000, 300), density=0.03, format="csr", rng=rng))
    X.indices, X.indptr = X.indices.astype(np.int32), X.indptr.astype(np.int32)
    y = (X @ rng.normal(size=300) * 2 + rng.logistic(size=3000) > 0).astype(int)
    if change is not None:
        change(X)
    dump_svmlight_file(X, y, str(folder / "narrow.svm"))
    return X, y, folder / "narrow.svm"


def test_standard_errors_of_numbered_columns(tmp_path: Path) -> None:
    """Those of a table with the same numbers, of which `test_cli_assembly` tests that they are a dense matrix's."""
    X, y, path = narrow(tmp_path)
    pd.DataFrame(X.toarray(), columns=[f"x{j}" for j in range(300)]).assign(y=y).to_parquet(tmp_path / "a.parquet")
    told = [
        json.loads(run("fit", *arguments, "--alpha", ALPHA, "--model", tmp_path / name, "--json").stdout)
        for arguments, name in (((path,), "numbers.json"), ((tmp_path / "a.parquet", "--target", "y"), "names.json"))
    ]
    numbered, named = told[0]["numbered"], told[1]
    assert numbered["numbers"] == list(range(300))
    for key in ("coefficients", "standard_errors"):
        np.testing.assert_allclose(numbered[key], [named[key][f"x{j}"] for j in range(300)], rtol=1e-7, atol=1e-8)
    assert told[0]["standard_errors"] == {"(intercept)": pytest.approx(named["standard_errors"]["(intercept)"])}
    lines = [run("explain", tmp_path / name).stdout.splitlines() for name in ("numbers.json", "names.json")]
    shown = [line for line in lines[0] if line.startswith("  59 ")]
    assert shown[0].split()[1:] == next(line for line in lines[1] if line.startswith("  x59 ")).split()[1:]


def test_float32_names_the_columns_that_it_cannot_hold(tmp_path: Path) -> None:
    def full(X: Any, values: Any) -> None:
        column = np.full((3000, 1), 0.0)
        column[:, 0] = values
        made = sp.csr_matrix(sp.hstack([X[:, :7], sp.csr_matrix(column), X[:, 8:]], format="csr"))
        X.data, X.indices, X.indptr = made.data, made.indices.astype(np.int32), made.indptr.astype(np.int32)

    _, _, path = narrow(tmp_path, lambda X: full(X, 1e9 + np.arange(3000)))
    said = run("fit", path, "--dtype", "float32", "--max-epochs", 3).stderr
    assert "column '7' loses most of its digits in float32: take --dtype float64" in said
    assert said.count("loses most of its digits") == 1
    _, _, path = narrow(tmp_path, lambda X: full(X, np.where(np.arange(3000) == 5, 0.0, 1e9 + np.arange(3000))))
    said = run("fit", path, "--dtype", "float32", "--max-epochs", 3).stderr
    assert "digits" not in said  # the column's range includes a zero
    _, _, path = narrow(tmp_path, lambda X: full(X, np.where(np.arange(3000) == 5, 1e39, 0.0)))
    told = complaint(run("fit", path, "--dtype", "float32", "--test-fraction", 0))
    assert told == "column '7' has values that are not finite in float32"

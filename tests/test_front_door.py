"""`import steepest`: it shows public names only, imports little, and tells type checkers what it gives."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import steepest as st

OPTIONAL = [
    "LinearRegressor",
    "LinearRegressorCV",
    "LogisticClassifier",
    "LogisticClassifierCV",
    "load_model",
    "save_model",
    "summary",
]
SOURCE = Path(st.__file__).read_text("utf-8")


def fresh(code):
    """What a new process prints."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip()


def inner(module, name):
    """A name of a module, or a module of a folder."""
    return getattr(module, name) if hasattr(module, name) else importlib.import_module(f"{module.__name__}.{name}")


def imports_for_type_checkers():
    """The public names that the typing block imports, with what they are."""
    block = next(node for node in ast.parse(SOURCE).body if isinstance(node, ast.If))
    found = {}
    for node in (node for node in block.body if isinstance(node, ast.ImportFrom)):
        module = importlib.import_module("." * node.level + (node.module or ""), "steepest")
        for alias in node.names:
            names = module.__all__ if alias.name == "*" else [alias.name]
            found.update({name if alias.name == "*" else alias.asname or name: inner(module, name) for name in names})
    return {name: what for name, what in found.items() if not name.startswith("_")}


def test_type_checkers_and_users_get_the_same():
    typed = imports_for_type_checkers()
    annotated = re.findall(r"^    (\w+): _Callable", SOURCE, re.MULTILINE)
    assert sorted({*typed, *annotated} - {"objectives"}) == dir(st)
    assert [name for name in typed if getattr(st, name) is not typed[name]] == []


def test_a_tab_shows_public_names_only():
    """Before and after use, with the estimators, which a star import leaves out."""
    shown = fresh("import steepest as st\nfirst = dir(st)\nst.minimize, st.plot\nprint(first == dir(st), *first)")
    same, *names = shown.split()
    assert same == "True"
    assert sorted(names) == sorted([*st.__all__, *OPTIONAL])
    assert [name for name in names if name.startswith("_")] == []


def test_the_import_alone_is_light():
    """Not even NumPy is imported; the first use imports what it needs."""
    heavy = "numpy", "steepest._core", "sklearn", "matplotlib", "importlib.metadata", "inspect"
    code = f"import sys\nimport steepest as st\nbefore = [m for m in {heavy} if m in sys.modules]\n"
    assert fresh(f"{code}st.LeastSquares\nprint(before, 'steepest._core' in sys.modules)") == "[] True"


def test_minimising_imports_no_pictures_and_no_packaging():
    code = "import sys, steepest as st\nst.minimize, st.LeastSquares, st.Adam\n"
    assert (
        fresh(f"{code}print([m for m in ('steepest.plot', 'importlib.metadata', 'email') if m in sys.modules])") == "[]"
    )


def test_a_star_import_brings_the_public_names():
    assert (
        fresh("from steepest import *\nprint(minimize.__name__, stop.GradientNorm.__name__)") == "minimize GradientNorm"
    )


def test_folders_are_reached_and_unknown_names_are_not():
    assert fresh("import steepest as st\nprint(st.objectives.column_statistics.__name__)") == "column_statistics"
    with pytest.raises(AttributeError, match="module 'steepest' has no attribute 'Lasso'"):
        st.Lasso  # noqa: B018


@pytest.mark.parametrize("name", ["STEEPEST_NUM_THREADS", "STEEPEST_ISA"])
def test_the_environment_is_checked_at_import(name, monkeypatch):
    monkeypatch.setenv(name, "x")
    run = subprocess.run([sys.executable, "-c", "import steepest"], capture_output=True, text=True)
    assert run.returncode == 1
    assert f"{name} must be " in run.stderr

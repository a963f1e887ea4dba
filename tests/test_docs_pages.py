"""The pages of the documentation: their code runs and prints what they say, and they show what the package has."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import warnings
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="tests of an installed wheel")
STEP = re.compile(r"```python\n(.*?)```\n(?:\n((?:    [^\n]*\n)+))?", re.DOTALL)


@pytest.mark.parametrize("name", ["first-steps", "guide"])
def test_the_code_runs_and_prints_what_the_page_says(name):
    pytest.importorskip("sklearn")
    names = {}
    steps = STEP.findall((DOCS / f"{name}.md").read_text("utf-8"))
    assert len(steps) >= 2
    for code, printed in steps:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(code, names)
        if printed:
            assert out.getvalue() == re.sub(r"^    ", "", printed, flags=re.MULTILINE)


def test_the_last_line_of_a_printed_run():
    """As first-steps.md describes it."""
    import numpy as np

    import steepest as st

    run = st.minimize(st.Logistic(np.eye(3), np.array([0.0, 1.0, 1.0]), alpha=0.1), stop=st.stop.GradientNorm(1e-6))
    assert re.fullmatch(r"converged in \d+ epochs, by GradientNorm", str(run).splitlines()[-1])


def test_the_page_of_the_command_line_is_the_help(monkeypatch):
    pytest.importorskip("click")
    pytest.importorskip("docutils")
    monkeypatch.syspath_prepend(str(DOCS))
    commands = importlib.import_module("commands")
    helps = commands.helps()
    assert {"steepest", "steepest fit", "steepest predict", "steepest info"} <= set(helps)
    assert all("Usage: " in text for text in helps.values())
    assert "--target" in helps["steepest fit"]
    assert max(len(line) for text in helps.values() for line in text.splitlines()) <= 90


def test_every_page_is_in_the_menu_and_has_a_title_of_its_own():
    menu = (DOCS / "index.md").read_text("utf-8").partition("```{toctree}")[2]
    pages = sorted(page for page in DOCS.glob("*.md") if page.stem != "index")
    assert [page.stem for page in pages if not re.search(rf"^(.*<)?{page.stem}>?$", menu, re.MULTILINE)] == []
    titles = [re.search(r"^# (.*)$", page.read_text("utf-8"), re.MULTILINE)[1] for page in pages]
    titles += [page.read_text("utf-8").partition("\n")[0] for page in sorted((DOCS / "api").glob("*.rst"))]
    assert len(set(titles)) == len(titles)


def test_pictures_say_what_is_seen():
    root = DOCS.parent
    for page in [root / "README.md", *DOCS.glob("*.md")]:
        for text, _ in re.findall(r"!\[(.*?)\]\((.*?)\)", page.read_text("utf-8")):
            assert len(text.split()) >= 5, (page.name, text)

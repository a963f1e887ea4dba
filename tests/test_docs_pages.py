"""The pages of the documentation: their code runs and prints what they say, and they show what the package has."""

from __future__ import annotations

import contextlib
import importlib
import io
import re
import shlex
import textwrap
import warnings
from pathlib import Path

import pytest

from steepest import DiagnosisWarning

DOCS = Path(__file__).parents[1] / "docs"
pytestmark = pytest.mark.skipif(not DOCS.exists(), reason="tests of an installed wheel")
STEP = re.compile(r"```python\n(.*?)```\n(?:\n((?:    [^\n]*\n)+))?", re.DOTALL)
OUTPUT = re.compile(r"```\{code-block\} text\n:class: output\n\n(.*?)```\n", re.DOTALL)


def _text(page):
    return (DOCS.parent / page).read_text("utf-8")


@pytest.mark.parametrize("name", ["first-steps", "guide", "checkpoints"])
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


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_front_pages_run_and_print_what_they_say(page):
    pytest.importorskip("sklearn")
    text = OUTPUT.sub(lambda found: textwrap.indent(found[1], "    "), _text(page))
    steps = STEP.findall(text)
    assert all(printed for _, printed in steps)
    for code, printed in steps:
        out = io.StringIO()
        with contextlib.redirect_stdout(out), warnings.catch_warnings():
            warnings.simplefilter("ignore", DiagnosisWarning)
            exec(code, {})
        assert out.getvalue() == textwrap.dedent(printed)


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
    assert all("-h, --help" in text for text in helps.values())  # as the program itself prints


def test_every_option_is_explained_and_no_summary_is_cut():
    click = pytest.importorskip("click")
    from steepest.cli.commands import steepest

    context = click.Context(steepest)
    for name in steepest.list_commands(context):
        command = steepest.get_command(context, name)
        assert not command.get_short_help_str(60).endswith("..."), name
        for option in (each for each in command.params if isinstance(each, click.Option)):
            record = option.get_help_record(context)
            assert record is None or re.sub(r"\[.*?\]", "", record[1]).strip(), (name, option.name)


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


@pytest.fixture
def sales(tmp_path, monkeypatch):
    """A folder with the tables that the pages name. The new ones have no targets."""
    pytest.importorskip("click")
    np, pd = pytest.importorskip("numpy"), pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [f"h{i:03}" for i in range(200)], "area": rng.normal(100.0, 20.0, 200)})
    table["town"] = rng.choice(["hill", "harbour"], 200)
    table["price"] = 2000 * table["area"] + 50_000 * (table["town"] == "hill") + rng.normal(0.0, 10.0, 200)
    table[:120].to_csv(tmp_path / "houses.csv", index=False)
    table[120:160].to_csv(tmp_path / "sold.csv", index=False)
    table[160:].drop(columns="price").to_csv(tmp_path / "new.csv", index=False)
    flights = pd.DataFrame(rng.normal(size=(400, 3)), columns=["distance", "air_time", "wind"])
    flights["late"] = np.where(flights["wind"] + rng.normal(size=400) > 0, "yes", "no")
    (tmp_path / "flights").mkdir()
    for name, part in (("flights", flights), ("flights/1", flights[:200]), ("flights/2", flights[200:])):
        part.to_parquet(tmp_path / f"{name}.parquet", index=False)
    flights.drop(columns="late").to_parquet(tmp_path / "new.parquet", index=False)
    monkeypatch.chdir(tmp_path)
    return table


@pytest.mark.parametrize(("page", "least"), [("README.md", 4), ("docs/command-line.md", 4)])
def test_the_commands_of_a_page_run_in_turn(page, least, sales, tmp_path):
    """The prices are 2000 an area and 50,000 more on the hill, with errors of 10, so predictions are that near."""
    from command_line import run

    pd = pytest.importorskip("pandas")
    commands = [shlex.split(line) for line in re.findall(r"^    steepest (.*)$", _text(page), re.MULTILINE)]
    assert len(commands) >= least
    for command in commands:
        done = run(*command)
        assert (done.exit_code, done.stderr) == (0, ""), (command, done.output)
        for named in [each for each in command if each.endswith((".json", ".csv", ".parquet"))]:
            assert list(tmp_path.glob(named)), command
    written = next(path for path in (tmp_path / "prices.csv", tmp_path / "prices.parquet") if path.exists())
    prices = (pd.read_csv if written.suffix == ".csv" else pd.read_parquet)(written)
    assert prices["id"].tolist() == sales["id"][160:].tolist()
    assert abs(prices["prediction"].to_numpy() - sales["price"][160:].to_numpy()).max() < 50


def test_formulas_of_docstrings_are_shown_as_mathematics(monkeypatch):
    """Sums become TeX and update rules text without colours; what follows stays."""
    pytest.importorskip("docutils")
    monkeypatch.syspath_prepend(str(DOCS))
    formulas = importlib.import_module("formulas")
    found = formulas.tex("F(w) = sum_i s_i loss(x_i . w, y_i)\n       + alpha (l1_ratio |w|_1)")
    assert found == (
        r"F(w) &= \sum_i s_i \text{loss}(x_i \cdot w, y_i) \\ & + \alpha (\text{l1_ratio} \lVert w \rVert_1)"
    )
    assert formulas.shown(["One.", "", "::", "", "    G += g^2", "", "Two."]) == [
        *("One.", "", ".. code-block:: none", "", "    G += g^2", "", "Two.")
    ]
    assert formulas.shown(["::", "", "    sum_i a_i", "", "Two."])[:3] == [".. math::", "", r"    \sum_i a_i"]

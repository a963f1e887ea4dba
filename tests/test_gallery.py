"""The course in docs/gallery: each topic has its page, pages check numbers and draw; CI builds the site strictly."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import types
from pathlib import Path

import pytest

import steepest as st

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "gallery"
TOPICS = [
    "error_surface",
    "secret_number",
    "learning_rates",
    "quadratic_model",
    "momentum",
    "batches",
    "optimizers",
    "schedules",
    "stopping",
    "scaling",
    "saddle_points",
    "normal_equation",
    "unbiased",
    "understanding",
    "logistic_softmax",
    "regularisation",
    "convergence_rates",
    "newton",
]
PAGES = sorted(GALLERY.glob("plot_*.py"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def gallery_conf():
    """The settings of the gallery in docs/conf.py, which changes the environment where it is run."""
    for node in ast.parse((ROOT / "docs" / "conf.py").read_text()).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "sphinx_gallery_conf":
            return ast.literal_eval(node.value)
    raise AssertionError("docs/conf.py has no sphinx_gallery_conf")


def checks_of(page):
    """What a page asserts, plainly or by numpy.testing."""
    for node in ast.walk(ast.parse(page.read_text())):
        if isinstance(node, ast.Assert):
            yield node.test
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("np.testing.assert_"):
            yield node


def test_each_topic_has_its_page_in_the_order_of_the_course():
    assert [page.name for page in PAGES] == [f"plot_{i:02}_{topic}.py" for i, topic in enumerate(TOPICS, 1)]


@each_page
def test_page_explains_and_checks_what_it_computed(page):
    tree = ast.parse(page.read_text())
    title, underline, blank, *text = ast.get_docstring(tree).splitlines()
    assert (underline, blank) == ("=" * len(title), "")
    assert any(text)
    assert 40 <= len(page.read_text().splitlines()) <= 300
    computed = {name.id for name in ast.walk(tree) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)}
    names = [{name.id for name in ast.walk(check) if isinstance(name, ast.Name)} for check in checks_of(page)]
    assert sum(bool(each & computed) for each in names) >= 3  # the others check the text's own arithmetic


@each_page
def test_page_asks_a_question_and_ends_with_exercises_and_readings(page):
    """Three exercises, each with an answer that a reader opens, and a list of at least two readings."""
    text = page.read_text()
    assert text.split('"""')[1].splitlines()[4].startswith("**The question.** ")
    before, exercises = text.split("# Exercises\n# ---------\n")
    exercises, readings = exercises.split("# Reading\n# -------\n")
    assert re.findall(r"^# (\d)\. \S", exercises, re.MULTILINE) == ["1", "2", "3"]
    assert len(re.findall(r"^#    \.\. answer::\n#\n#       \S", exercises, re.MULTILINE)) == 3
    assert ".. answer::" not in before
    assert len(re.findall(r"^# \* ", readings, re.MULTILINE)) >= 2
    assert "assert" in exercises  # the numbers of the answers


@pytest.fixture(scope="module")
def folds():
    """The extension of the site that folds checks."""
    pytest.importorskip("docutils")
    return runpy.run_path(str(ROOT / "docs" / "folds.py"))


def test_checks_are_parted_from_the_code(folds):
    source = "x = 1\nassert x == 1  # so\n\n\nfor i in range(2):\n    assert i < 2\nfor i in range(2):\n    print(i)\n"
    source += "np.testing.assert_allclose(\n    x,\n    1,\n)\nprint(x)\n"
    shown, checks = folds["parted"](source)
    assert shown == "x = 1\n\nfor i in range(2):\n    print(i)\nprint(x)"
    assert checks.splitlines()[:3] == ["assert x == 1  # so", "for i in range(2):", "    assert i < 2"]
    assert checks.endswith("np.testing.assert_allclose(\n    x,\n    1,\n)")


@each_page
def test_checks_of_a_page_can_be_folded(folds, page):
    """No check stands inside a statement that does something else, where it would be shown to readers."""
    shown, checks = folds["parted"](page.read_text())
    assert checks
    assert "assert" not in re.sub(r'"""(.|\n)*?"""|#.*', "", shown), page.name


@pytest.mark.slow  # the documentation runs them too
@each_page
def test_page_holds_and_draws(page):
    """What it asserts is true, and it leaves figures in which something is drawn."""
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.switch_backend("Agg")
    plt.close("all")
    try:
        runpy.run_path(str(page))
        figures = [plt.figure(number) for number in plt.get_fignums()]
        assert figures
        for figure in figures:
            assert any(axes.has_data() for axes in figure.axes)
    finally:
        plt.close("all")


@pytest.mark.slow  # it reads all flights
def test_the_default_takes_the_passes_that_the_lesson_on_newton_tells_of(monkeypatch):
    """Counted where the runner evaluates rows and takes Hessians: all rows, or a sample of about 10,000 or 50,000."""
    pytest.importorskip("click")
    frame = importlib.import_module("steepest.cli.flights").load_flights().frame
    encoder = importlib.import_module("steepest.cli.encoding").TableEncoder()
    X = encoder.fit_transform(frame.drop(columns="late"))
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    runner = importlib.import_module("steepest.quasi_newton.runner").QuasiNewtonRunner
    evaluated, hessians = [], []
    sampled, sampled_rows, sample = [], [], st.Logistic.sample

    def sampling(self, n, seed, data=None):
        sampled.append(sample(self, n, seed, data))
        sampled_rows.append(min(n, self.n_samples))
        return sampled[-1]

    def counted(function, sizes):
        def wrapper(self, native, w, prior=None):
            rows = [n for made, n in zip(sampled, sampled_rows, strict=True) if made is native]
            assert rows or native is self._objective.native
            sizes.append(rows[0] if rows else len(X))
            return function(self, native, w, prior)

        return wrapper

    monkeypatch.setattr(st.Logistic, "sample", sampling)
    monkeypatch.setattr(runner, "_evaluate_at", counted(runner._evaluate_at, evaluated))
    monkeypatch.setattr(runner, "_metric", counted(runner._metric, hessians))
    run = st.minimize(st.Logistic(X, frame["late"].to_numpy(dtype=float), alpha=1e-4))
    assert run.converged
    passes = evaluated.count(len(X)) + 2  # the first two points share one pass
    assert 8 <= len(run.history["loss"]) <= 10
    assert passes in (len(run.history["loss"]) - 1, len(run.history["loss"]))
    assert hessians.count(len(X)) == 2
    assert all(9_000 < size < 60_000 for size in evaluated + hessians if size != len(X))


def test_the_times_of_the_lesson_on_the_normal_equation_are_those_of_its_page():
    """The tables of docs/closed-form.md for 4,096 rows."""
    lesson = (GALLERY / "plot_12_normal_equation.py").read_text()
    assigned = {
        ast.unparse(node.targets[0]): node.value for node in ast.parse(lesson).body if isinstance(node, ast.Assign)
    }
    milliseconds, widths = ast.literal_eval(assigned["milliseconds"]), ast.literal_eval(assigned["widths"])
    units, found = {"us": 1e-3, "ms": 1.0, "s": 1e3}, {}
    for line in (ROOT / "docs" / "closed-form.md").read_text().splitlines():
        if line.startswith("Condition number "):
            times = found[int(line[17:].rstrip(":").replace(",", ""))] = {}
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] == "4,096":
            for name, cell in (("normal equation", cells[2]), ("heavy ball", cells[3]), ("gradient descent", cells[5])):
                number, unit = cell.split(" (")[0].split()
                times.setdefault(name, []).append(float(number) * units[unit])
            times.setdefault("widths", []).append(int(cells[1].replace(",", "")))
    assert set(found) == set(milliseconds) == {10, 10_000}
    for condition, times in found.items():
        assert times.pop("widths") == widths
        for name, values in times.items():
            assert values == pytest.approx(milliseconds[condition][name]), (condition, name)


def test_links_between_pages_lead_to_pages():
    texts = [path.read_text() for path in [*PAGES, GALLERY / "README.txt", *(ROOT / "docs").glob("*.[mr][ds]*")]]
    linked = {name for text in texts for name in re.findall(r"sphx_glr_course_(\w+\.py)", text)}
    assert linked
    assert linked <= {page.name for page in PAGES}


def test_ci_builds_the_site_with_warnings_as_errors():
    script = (ROOT / ".ci" / "run").read_text()
    builds = re.findall(r"^.*sphinx-build(.*)", script, re.MULTILINE)
    assert len(builds) == 1
    assert {"-W", "-n"} <= set(builds[0].split())
    assert "||" not in builds[0]
    assert "\nset -euo pipefail\n" in script  # so that a failed build ends it
    assert gallery_conf()["abort_on_example_error"] is True


def test_what_the_build_makes_is_ignored():
    made = f"docs/{gallery_conf()['gallery_dirs']}/"
    assert made in (ROOT / ".gitignore").read_text().split()
    assert f"docs/{gallery_conf()['backreferences_dir']}".startswith(made)


def named(path):
    """What a path such as steepest.stop.GradientNorm names; `pkgutil` would find modules of former paths first."""
    thing, *names = st, *path.split(".")[1:]
    for name in names:
        thing = getattr(thing, name) if hasattr(thing, name) else importlib.import_module(f"{thing.__name__}.{name}")
    return thing


def shown_on_the_api_pages():
    """Yield the name of each entry and what it names, by the module that it stands under."""
    text = "".join(page.read_text() for page in sorted((ROOT / "docs" / "api").glob("*.rst")))
    module = "steepest"
    for kind, name in re.findall(r"^\.\. ([\w]+):: +([\w.]+)", text, re.MULTILINE):
        if kind in ("module", "currentmodule"):
            module = name
        elif kind == "automodule":
            yield name, named(name)
        elif kind == "registered":
            registered = importlib.import_module(f"steepest.{name}")
            yield from ((each, getattr(registered, each)) for each in registered.__all__)
        elif kind.startswith("auto"):
            yield name, named(name if name.startswith("steepest.") else f"{module}.{name}")


def test_the_api_pages_have_every_public_name():
    """A class or function by an entry of its own; a module by its own or those of its members."""
    entries = list(shown_on_the_api_pages())
    for name in [*st.__all__, "LinearRegressor", "LogisticClassifier"]:
        public = getattr(st, name)
        if isinstance(public, types.ModuleType):
            assert any(f"steepest.{name}" in (entry, entry.rpartition(".")[0]) for entry, _ in entries), name
        else:
            assert any(thing is public for _, thing in entries), name

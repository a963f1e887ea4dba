"""The examples in docstrings run as written, and every public name has one.

An example imports what it needs. Its prints are the same on every platform: rounded numbers, or comparisons.
"""

from __future__ import annotations

import doctest
import importlib
import inspect
import itertools
from pathlib import Path
from types import ModuleType

import pytest

import steepest as st

PACKAGE = Path(st.__file__).parent
MODULES = sorted(
    ".".join(["steepest", *file.relative_to(PACKAGE).with_suffix("").parts]).removesuffix(".__init__")
    for file in PACKAGE.rglob("*.py")
    if file.name != "__main__.py" and "benchmarks" not in file.parts
)
NEEDED = {
    "cli": ("click", "pandas", "sklearn"),
    "dask": ("dask.dataframe", "distributed", "sklearn"),
    "distribution": ("dask.array", "distributed"),
    "estimators": ("sklearn",),
    "mpi": ("mpi4py.MPI",),
    "paths": ("scipy", "matplotlib"),
    "plot": ("matplotlib",),
}
ON_A_DEVICE = ("steepest.arrays.device",)
OPTIONAL = (
    "LinearRegressor",
    "LinearRegressorCV",
    "LogisticClassifier",
    "LogisticClassifierCV",
    "load_model",
    "save_model",
)
DOCUMENTED_ELSEWHERE = ("objectives.column_statistics", "objectives.unscaled")
# Names that the API page does not show, or shows by another name.
NOT_SHOWN = {"schedules.Schedule", "schedules.as_schedule", "schedules.rates_at", "stop.Progress", "stop.StopRule"}


class Finder(doctest.DocTestFinder):
    """Finds decorated functions too, which the standard one passes over in silence."""

    def _from_module(self, module, found):
        return isinstance(found, property) or getattr(found, "__module__", None) == module.__name__


def imported(module):
    """Import a module, or skip the test where an optional package that its folder needs is not installed."""
    for package in NEEDED.get(module.partition(".")[2].partition(".")[0], ()):
        pytest.importorskip(package, exc_type=ImportError)
    return importlib.import_module(module)


def examples_of(module):
    """Return the docstrings with examples of a module, without the module's own names in reach of them."""
    finder = Finder(exclude_empty=True)
    return [test for test in finder.find(module, module.__name__, globs={"__name__": "__main__"}) if test.examples]


def public_names():
    names = []
    for name in st.__all__:
        thing = getattr(st, name)
        inner = [f"{name}.{each}" for each in thing.__all__] if isinstance(thing, ModuleType) else [name]
        names += [each for each in inner if inspect.isclass(found(each)) or inspect.isroutine(found(each))]
    return sorted({*names, *OPTIONAL, *DOCUMENTED_ELSEWHERE} - NOT_SHOWN)


def found(name):
    thing = st
    for part in name.split("."):
        thing = getattr(thing, part)
    return thing


@pytest.fixture
def no_window(monkeypatch):
    """Draw into memory, and forget the figures."""
    monkeypatch.setenv("MPLBACKEND", "agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield
    pyplot.close("all")


def check_examples(module):
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for test in examples_of(imported(module)):
        told = []
        runner.run(test, out=told.append)
        assert not runner.failures, "".join(told)


@pytest.mark.parametrize("module", [module for module in MODULES if module not in ON_A_DEVICE])
def test_the_examples_of_a_module_run(module, request):
    if module.startswith("steepest.plot"):
        request.getfixturevalue("no_window")
    check_examples(module)


@pytest.mark.parametrize("module", ON_A_DEVICE)
def test_the_examples_on_a_device_run(module, cuda):
    check_examples(module)


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_has_an_example_that_runs(name):
    if name in OPTIONAL:
        pytest.importorskip("sklearn")
        pytest.importorskip("pandas")
    thing = found(name)
    examples = {test.name for test in examples_of(imported(thing.__module__))}
    assert f"{thing.__module__}.{thing.__qualname__}" in examples


@pytest.mark.parametrize("name", ["LeastSquares", "Logistic", "Softmax"])
def test_the_sections_of_a_loss_have_the_order_of_numpydoc(name):
    """The losses share all sections but the examples, which come last."""
    lines = inspect.getdoc(found(name)).splitlines()
    headings = [line for line, below in itertools.pairwise(lines) if below and set(below) == {"-"}]
    assert headings == ["Parameters", "Raises", "Notes", "Examples"]


def test_an_example_that_fails_is_told(monkeypatch):
    """The test itself must fail: on a decorated function, whose example prints another number."""

    def wrong():
        """Return nothing.

        >>> 1 + 1
        3
        """

    module = ModuleType("steepest.wrong")
    wrong.__module__ = module.__name__
    wrong.__wrapped__ = test_an_example_that_fails_is_told
    module.wrong = wrong
    (test,) = examples_of(module)
    told = []
    assert doctest.DocTestRunner().run(test, out=told.append).failed == 1
    assert "Expected:\n    3\nGot:\n    2" in "".join(told)

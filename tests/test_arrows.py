"""Imports run one way: down the list of folders, without cycles, and without private names of another folder."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import steepest

PACKAGE = Path(steepest.__file__).parent
# Each may import itself and what stands before it. FACE is what users import: `__init__` and `schedules`.
FACE = "steepest"
ORDER = [
    "_core",
    "_cuda",
    "extras",
    "warnings",
    "arrays",
    "checkpoint",
    "parts",
    "ranks",
    "streams",
    "runtime",
    "objectives",
    "distribution",
    "analysis",
    "constraints",
    "optimizers",
    "working_sets",
    "quasi_newton",
    "descent",
    "paths",
    "search",
    "closed_form",
    "estimators",
    "inference",
    "dask",
    "mpi",
    "plot",
    "reference",
    FACE,
    "cli",
    "__main__",
]
NATIVE = ("_core", "_cuda")


def sources():
    """The text of every module, by its dotted name below the package."""
    paths = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py"))]
    own = [path for path in paths if path.parts[0] != "benchmarks"]  # which an installed package has beside it
    return {".".join(path.with_suffix("").parts): (PACKAGE / path).read_text("utf-8") for path in own}


def folder_of(module):
    head = module.partition(".")[0]
    return FACE if head in ("__init__", "schedules") else head


def imports(module, text, modules):
    """What a module imports of this package, typing included: pairs of a module and a name or None."""
    found = []
    here = module.split(".")[:-1]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == FACE:
                    found.append((alias.name.partition(".")[2] or "__init__", None))
        if not isinstance(node, ast.ImportFrom):
            continue
        base = node.module.split(".") if node.module else []
        if node.level:
            base = here[: len(here) - node.level + 1] + base
        elif base[:1] == [FACE]:
            base = base[1:]
        else:
            continue
        for alias in node.names:
            inner = ".".join([*base, alias.name])
            is_module = inner in modules or f"{inner}.__init__" in modules or inner in NATIVE
            if is_module:
                target = inner if inner in modules or inner in NATIVE else f"{inner}.__init__"
                found.append((target, None))
            else:
                outer = ".".join(base)
                target = outer if outer in modules else f"{outer}.__init__".lstrip(".")
                found.append((target, alias.name))
    return found


def is_private(name):
    return name.startswith("_") and not name.startswith("__") and name not in NATIVE


def private_names_defined(text):
    """The private names that a module defines: of functions, classes, variables and attributes."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
    return {name for name in found if is_private(name)}


def private_attributes_read(text):
    """The private attributes that a module reads of anything but `self`, `cls`, `super()` and imported modules."""
    tree = ast.parse(text)
    modules = {
        alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            value = node.value
            own = isinstance(value, ast.Name) and value.id in {"self", "cls", *modules}
            if not own and not isinstance(value, ast.Call):
                found.add(node.attr)
    return found


def faults(modules):
    """What is wrong with the imports of modules: a sentence for each."""
    told, graph, defined = [], {}, {}
    for module, text in modules.items():
        defined.setdefault(folder_of(module), set()).update(private_names_defined(text))
    for module, text in modules.items():
        found = imports(module, text, modules)
        own = folder_of(module)
        graph[module] = sorted({target for target, _ in found if target in modules})
        for target, name in found:
            other = folder_of(target)
            if own not in ORDER or other not in ORDER:
                told.append(f"{own if own not in ORDER else other} has no place in ORDER")
            elif other != own and ORDER.index(other) > ORDER.index(own):
                told.append(f"{module} imports {target}, which stands above it")
            if other == "reference" and own not in ("reference", FACE):
                told.append(f"{module} imports the reference, which only tests may")
            if other != own and name is not None and is_private(name):
                told.append(f"{module} imports the private name {name} of {target}")
        elsewhere = set().union(*(names for folder, names in defined.items() if folder != own)) - defined[own]
        for name in sorted(private_attributes_read(text) & elsewhere):
            told.append(f"{module} reads the private name {name}, which another folder defines")
    return told + cycles(graph)


def cycles(graph):
    """The cycles of a graph that a walk from each of its nodes meets: a sentence for each."""
    told, done = [], set()

    def walk(node, path):
        if node in path:
            told.append("a cycle: " + " -> ".join([*path[path.index(node) :], node]))
        elif node not in done:
            for other in graph[node]:
                walk(other, [*path, node])
            done.add(node)

    for node in graph:
        walk(node, [])
    return told


def test_imports_run_one_way():
    assert faults(sources()) == []


def test_every_folder_says_what_it_may_use():
    for folder in (path.parent for path in PACKAGE.glob("*/__init__.py")):
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text("utf-8")))
        assert "This folder may use" in " ".join(text.split()), folder.name


@pytest.mark.parametrize(
    ("modules", "fault"),
    [
        ({"arrays.a": "from ..descent import b", "descent.b": ""}, "stands above it"),
        ({"arrays.a": "from ..descent.b import c", "descent.b": ""}, "stands above it"),
        ({"arrays.a": "def f():\n    from ..descent.b import c", "descent.b": ""}, "stands above it"),
        ({"descent.a": "import steepest as st", "__init__": ""}, "stands above it"),
        ({"descent.a": "from steepest.plot.b import c", "plot.b": ""}, "stands above it"),
        ({"descent.a": "from ..arrays.b import _c", "arrays.b": ""}, "private name _c"),
        ({"descent.a": "from ..arrays import b\nb._c", "arrays.b": "_c = 1"}, "private name _c"),
        ({"descent.a": "def f(o):\n    return o._data", "objectives.b": "self._data = 1"}, "private name _data"),
        ({"descent.a": "def f(o):\n    return o.inner._data", "objectives.b": "self._data = 1"}, "private name _data"),
        ({"search.a": "from .. import reference", "reference.__init__": ""}, "which only tests may"),
        ({"search.a": "from ..reference.losses import b", "reference.losses": ""}, "which only tests may"),
        ({"descent.a": "from .b import c", "descent.b": "from .a import d"}, "a cycle"),
        ({"descent.a": "from .b import c", "descent.b": "if TYPE_CHECKING:\n    from . import a"}, "a cycle"),
        ({"kitchen.a": "from ..arrays.b import c", "arrays.b": ""}, "kitchen has no place"),
    ],
)
def test_a_fault_is_told(modules, fault):
    assert any(fault in told for told in faults(modules)), faults(modules)


def test_the_right_way_is_no_fault():
    modules = {
        "__init__": "from .descent import a",
        "descent.a": "import sys\nfrom .. import _core\nfrom ..arrays.b import c\nsys._d\nc._e\nself._f\nc._fields",
        "descent.b": "def _e(): ...",
        "arrays.b": "import numpy\n_d = self._f = 1",
    }
    assert faults(modules) == []

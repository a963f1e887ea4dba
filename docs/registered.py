"""The directives ``registered`` and ``summary``, and which members of a class the pages leave out.

``registered`` documents the classes of a module's ``__all__`` that are not on the page already. ``summary`` is a table
of classes.
"""

from __future__ import annotations

import inspect
import re
import runpy
from importlib import import_module
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import steepest

# No user calls these; the list of public names leaves them out, too.
HOOKS = runpy.run_path(str(Path(__file__).parents[1] / "tools" / "public_names.py"))["HOOKS"]


class Summary(SphinxDirective):
    """A table of classes, given by name or as all of a module, with the first line of each docstring."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        text = [".. list-table::", "   :widths: auto", ""]
        for argument in self.arguments[0].split():
            for name in import_module(f"steepest.{argument}").__all__ if argument.islower() else [argument]:
                line = (inspect.getdoc(getattr(steepest, name)) or "").partition("\n")[0]
                text += [f"   * - `{name}`", f"     - {literal_formula(line)}"]
        node = nodes.section()
        node.document = self.state.document
        self.state.nested_parse(StringList(text, source=self.env.docname), 0, node)
        return node.children


def literal_formula(line: str) -> str:
    """Return a line with the formula at its end, such as ``loss(z, y) = z^2.``, as a literal."""
    return re.sub(r"(?<=: )(loss\(z, y\) = .*?)(?=, (?:without|with) |\.$)", r"``\1``", line)


def is_left_out(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    """Return True for a member that no user calls, and None to leave the decision to Sphinx."""
    return True if what == "class" and name in HOOKS else None


class Registered(SphinxDirective):
    """Documents each class with the properties that it defines itself."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        module = import_module(f"steepest.{self.arguments[0]}")
        page = self.env.doc2path(self.env.docname)
        with open(page, encoding="utf-8") as lines:
            written = {line.split("::", 1)[1].strip() for line in lines if line.startswith(".. autoclass::")}
        text: list[str] = []
        for name in module.__all__:
            if name not in written:
                own = _own(getattr(module, name))
                text += ["", f".. autoclass:: {name}", *([f"   :members: {', '.join(own)}"] if own else []), ""]
        node = nodes.section()
        node.document = self.state.document
        self.state.nested_parse(StringList(text, source=page), 0, node)
        return node.children


def _own(kind: Any) -> list[str]:
    named = ((name, member) for name, member in vars(kind).items() if not name.startswith("_") and name not in HOOKS)
    return [name for name, member in named if isinstance(member, property)]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("registered", Registered)
    app.add_directive("summary", Summary)
    app.connect("autodoc-skip-member", is_left_out)
    return {"parallel_read_safe": True}

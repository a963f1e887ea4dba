"""The directive ``registered``: the classes of a module's ``__all__`` that are not on the page already."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


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
                text += ["", f".. autoclass:: {name}", f"   :members: {', '.join(_own(getattr(module, name)))}", ""]
        node = nodes.section()
        node.document = self.state.document
        self.state.nested_parse(StringList(text, source=page), 0, node)
        return node.children


def _own(kind: Any) -> list[str]:
    own = [name for name, member in vars(kind).items() if isinstance(member, property) and not name.startswith("_")]
    return own or ["__doc__"]


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("registered", Registered)
    return {"parallel_read_safe": True}

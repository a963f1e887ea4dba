"""What the pages of the course fold away: the checks in their code, and the answers of their exercises."""

from __future__ import annotations

import ast
import re
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive


def is_check(statement: ast.stmt) -> bool:
    """Return whether a statement only checks: an assertion, plain or of numpy.testing, or a loop of assertions."""
    if isinstance(statement, ast.For):
        return all(is_check(each) for each in statement.body)
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        return ast.unparse(statement.value.func).startswith("np.testing.assert_")
    return isinstance(statement, ast.Assert)


def parted(source: str) -> tuple[str, str]:
    """Return the code of a block without its checks, and the checks."""
    shown, checks = dict(enumerate(source.splitlines(), 1)), list[str]()
    for statement in ast.parse(source).body:
        if is_check(statement):
            checks += [
                shown.pop(line) for line in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
            ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(shown.values())).strip(), "\n".join(checks)


def folded(summary: str, kind: str, content: list[nodes.Node]) -> list[nodes.Node]:
    """Return nodes that show a summary, and the content once a reader opens it."""
    opened = f'<details class="{kind}"><summary>{summary}</summary>'
    return [nodes.raw("", opened, format="html"), *content, nodes.raw("", "</details>", format="html")]


def title_of(block: nodes.Node) -> str:
    """Return the title of the section around a block."""
    section = block.parent
    while section is not None and not isinstance(section, nodes.section):
        section = section.parent
    return section.children[0].astext() if section is not None else ""


class Answer(Directive):
    """``.. answer::``, the answer of the exercise before it."""

    has_content: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """Return the content, folded."""
        content = nodes.container()
        self.state.nested_parse(self.content, self.content_offset, content)
        return folded("Answer", "answer", content.children)


def fold_checks(app: Any, document: nodes.document) -> None:
    """Move the checks of each block of a lesson's code below what the block printed, and fold them."""
    if not app.env.docname.startswith("course/plot_"):
        return
    for block in list(document.findall(nodes.literal_block)):
        if block.get("language", "").lower() != "python":
            continue
        source = block.rawsource or block.astext()
        # What follows the exercises would give their answers away.
        shown, checks = ("", source.strip()) if title_of(block) == "Exercises" else parted(source)
        if not checks:
            continue
        copy = block.deepcopy()
        copy.rawsource, copy.children = checks, []
        copy += nodes.Text(checks)
        after = block.parent.index(block) + 1
        while after < len(block.parent) and "sphx-glr-script-out" in block.parent[after].get("classes", []):
            after += 1
        block.parent[after:after] = folded("Checked when this page was built", "checks", [copy])
        if shown:
            block.rawsource, block.children = shown, []
            block += nodes.Text(shown)
        else:
            block.parent.remove(block)


def setup(app: Any) -> dict[str, Any]:
    """Register the directive and the folding."""
    app.add_directive("answer", Answer)
    app.connect("doctree-read", fold_checks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

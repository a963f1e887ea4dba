"""Formulas as MathML, which browsers draw themselves: a page needs neither a script nor the network."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml


def mathml(tex: str, *, block: bool = False) -> str:
    """Return a formula as MathML."""
    aligned = rf"\begin{{aligned}}{tex}\end{{aligned}}" if r"\\" in tex else tex
    element = tex2mathml(aligned)
    return element.replace("<math ", '<math display="block" ', 1) if block else element


def visit_inline(writer: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    writer.body.append(mathml(node.astext()))
    raise nodes.SkipNode


def visit_block(writer: Any, node: nodes.math_block) -> None:
    """Write a formula of its own."""
    writer.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Register the renderer."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}

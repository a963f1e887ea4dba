"""Formulas of docstrings. `help` shows text. The site shows sums as mathematics, and update rules as text."""

from __future__ import annotations

import re
from typing import Any

GREEK = ("alpha",)


def tex(formula: str) -> str:
    """Return a formula of a docstring, such as ``sum_i s_i loss(x_i . w + b, y_i)``, in TeX."""
    text = re.sub(r",\s{2,}", r", \\quad ", formula.strip())
    text = " ".join(text.split()).replace(" . ", r" \cdot ")
    text = re.sub(r"\|(\w)\|", r"\\lVert \1 \\rVert", text)
    text = re.sub(r"[A-Za-z]\w*[A-Za-z0-9]|(?<!\\)\b[A-Za-z]{2,}", _word, text)
    first, *further = re.split(r" (?=\+ \\alpha)", text)
    if not further:
        return first
    return r" \\ ".join([first.replace(" = ", " &= ", 1), *(f"& {part}" for part in further)])


def _word(found: re.Match[str]) -> str:
    """Return a name in upright letters, with its index below."""
    word, before = found[0], found.string[: found.start()]
    if before.endswith("\\"):
        return word
    name, _, index = word.rpartition("_")
    if len(index) != 1 or index.isdigit():  # such as l1_ratio
        name, index = word, ""
    if name == "sum":
        shown = r"\sum"
    elif name in GREEK:
        shown = f"\\{name}"
    else:
        shown = name if len(name) == 1 else rf"\text{{{name}}}"
    return shown + (f"_{index}" if index else "")


def shown(lines: list[str]) -> list[str]:
    """Return the lines of a docstring, with a directive for each block that follows a line of two colons."""
    out: list[str] = []
    rest = list(lines)
    while rest:
        line = rest.pop(0)
        out.append(line)
        if line.strip() != "::":
            continue
        indent = len(line) - len(line.lstrip())
        block: list[str] = []
        while rest and (not rest[0].strip() or len(rest[0]) - len(rest[0].lstrip()) > indent):
            block.append(rest.pop(0))
        pad = " " * indent
        if any("sum_" in each for each in block):
            out[-1:] = [f"{pad}.. math::", "", f"{pad}    {tex(' '.join(block))}", ""]
        else:
            out[-1:] = [f"{pad}.. code-block:: none", *([""] if block[0].strip() else []), *block]
    return out


def show(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Replace the blocks of a docstring that autodoc has read."""
    lines[:] = shown(lines)


def setup(app: Any) -> dict[str, Any]:
    """Register the replacement, before numpydoc looks at the sections."""
    app.connect("autodoc-process-docstring", show, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}

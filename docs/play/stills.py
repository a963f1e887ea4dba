"""Draws the still pictures of the interactive pages, by the pages' own scripts: `python docs/play/stills.py`.

A page shows its still where scripts are off. It is what the page draws before anything is moved. This script needs
quickjs-ng, an engine for JavaScript, which the extra "test" installs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCRIPTS = HERE.parent / "static" / "play"
PAGES = ("valley", "surface", "race")


def engine() -> Any:
    """Return an engine that has read every script but the ones that need a page."""
    import quickjs

    runs = quickjs.Context()
    for name in ("descent", "draw", *PAGES):
        runs.eval((SCRIPTS / f"{name}.js").read_text())
    # page.js mounts what it finds in the page, and here there is none.
    runs.eval("globalThis.document = { querySelectorAll: () => [] };\n" + (SCRIPTS / "page.js").read_text())
    return runs


def still(runs: Any, page: str) -> str:
    """Return the still picture of a page."""
    return str(runs.eval(f"steepest.markup(steepest.pages.{page}, steepest.pages.{page}.initial)")) + "\n"


if __name__ == "__main__":
    runs = engine()
    for page in PAGES:
        (HERE / f"{page}.svg").write_text(still(runs, page))

"""The pictures of whole fits show what the tables of docs/fits.md say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def pictures():
    return runpy.run_path(str(DOCS / "fits_pictures.py"))


def test_a_bar_is_the_ratio_in_the_summary(pictures):
    """The summary is another table of the page, which benchmarks/fit_page.py printed."""
    bars = {words: (ratio, peer, bound) for words, ratio, peer, bound in pictures["ratios"](pictures["fits"]())}
    compared = 0
    for line in (DOCS / "fits.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) != 6 or cells[0] not in pictures["WORDS"]:
            continue
        ratio, peer, bound = bars[pictures["WORDS"][cells[0]]]
        found = re.fullmatch(r"(.*) [\d.]+ m?s \(([\d.]+) x\)", cells[5])
        if found:
            assert (peer.replace("scikit-learn", "sklearn"), ratio, bound) == (found[1], float(found[2]), False)
        else:
            assert cells[5] == "none in the time given"
            assert bound
            assert ratio == pytest.approx({"500000x100, correlated, 3": 2.5 / 0.0615, "mnist, 12": 8 / 3.35}[cells[0]])
        compared += 1
    assert compared == len(bars) == 15


def test_every_contender_has_a_panel_and_a_colour(pictures):
    pytest.importorskip("matplotlib")
    found = pictures["fits"]()
    assert {row.library for rows in found.values() for row in rows} == set(pictures["COLOURS"])
    figure = pictures["panels"](found)
    assert [ax.get_title(loc="left") for ax in figure.axes] == list(pictures["WORDS"].values())
    assert len(figure.axes[0].get_yticklabels()) == sum(row.coarse is not None for row in next(iter(found.values())))
    assert len(pictures["bars"](found).axes[0].patches) == 15

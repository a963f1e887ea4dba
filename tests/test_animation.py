"""The moving picture of the front page has the paths of the reference, and stands still where motion is not wanted."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from steepest import reference

DOCS = Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def animation():
    return runpy.run_path(str(DOCS / "animation.py"))


def test_paths_are_those_of_the_reference(animation):
    """The committed file has them, to a tenth of a pixel."""
    svg = (DOCS / "descent.svg").read_text()
    rules = {
        "plain": lambda w, g, state, t: reference.gradient_descent(w, g, state, t, 2 / 13),
        "momentum": lambda w, g, state, t: reference.momentum(w, g, state, t, 0.06, momentum=0.7),
        "adam": lambda w, g, state, t: reference.adam(w, g, state, t, 0.8),
    }
    for name, rule in rules.items():
        w, state, path = animation["START"], {}, [animation["START"]]
        for t in range(1, animation["STEPS"] + 1):
            w, state = rule(w, animation["CURVATURES"] * w, state, t)
            path.append(w)
        found = re.search(rf'id="path-{name}" .* d="M(.*?)"', svg)
        points = np.array([point.split() for point in found[1].split("L")], dtype=float)
        np.testing.assert_allclose(points, animation["pixels"](path), atol=0.051)
        dots = re.search(rf"@keyframes dot-{name}{{(.*?)}}}}", svg)[1]
        moved = np.array(re.findall(r"translate\(([\d.-]+)px,([\d.-]+)px", dots), dtype=float)
        np.testing.assert_array_equal(moved, points)


def test_it_is_small_and_needs_nothing(animation):
    svg = (DOCS / "descent.svg").read_text()
    assert len(svg) < 40_000
    assert "<script" not in svg
    assert re.findall(r"https?://[^\"]+", svg) == ["http://www.w3.org/2000/svg"]
    still = svg.split("@media (prefers-reduced-motion: no-preference)")[0]
    assert "animation" not in still
    assert 'role="img" aria-label="' in svg
    assert ":file: descent.svg" in (DOCS / "index.md").read_text()

"""The course in docs/gallery: each lecture topic has its page, pages assert and draw, CI builds them strictly."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import steepest as st

ROOT = Path(__file__).parents[1]
GALLERY = ROOT / "docs" / "gallery"
TOPICS = [
    "error_surface",
    "secret_number",
    "learning_rates",
    "quadratic_model",
    "momentum",
    "batches",
    "optimizers",
    "schedules",
    "stopping",
    "scaling",
    "saddle_points",
    "normal_equation",
    "unbiased",
    "understanding",
]
PAGES = sorted(GALLERY.glob("plot_*.py"))


def names_called(page):
    """The last names of all that a page calls: "subplots" of plt.subplots(...)."""
    calls = [node.func for node in ast.walk(ast.parse(page.read_text())) if isinstance(node, ast.Call)]
    return {call.attr if isinstance(call, ast.Attribute) else getattr(call, "id", "") for call in calls}


def test_each_topic_has_its_page_in_the_order_of_the_course():
    assert [page.name for page in PAGES] == [f"plot_{i:02}_{topic}.py" for i, topic in enumerate(TOPICS, 1)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_asserts_draws_and_explains(page):
    tree = ast.parse(page.read_text())
    asserts = sum(isinstance(node, ast.Assert) for node in ast.walk(tree))
    assert asserts + page.read_text().count("np.testing.assert_") >= 3
    assert names_called(page) & {"subplots", "figure", "contour", "surface", "loss_curve", "taylor", "learning_rates"}
    title, underline = ast.get_docstring(tree).splitlines()[:2]
    assert underline == "=" * len(title)
    assert 40 <= len(page.read_text().splitlines()) <= 170


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_between_pages_lead_to_pages(page):
    for name in re.findall(r":ref:`sphx_glr_course_(.+?)`", page.read_text()):
        assert (GALLERY / name).exists()


def test_ci_builds_the_site_with_warnings_as_errors():
    builds = re.findall(r"sphinx-build(.*)", (ROOT / ".ci" / "run").read_text())
    assert len(builds) == 1
    assert {"-W", "-n"} <= set(builds[0].split())
    assert '"abort_on_example_error": True' in (ROOT / "docs" / "conf.py").read_text()


def test_what_the_build_makes_is_ignored():
    assert "docs/course/" in (ROOT / ".gitignore").read_text().split()
    assert '"gallery_dirs": "course"' in (ROOT / "docs" / "conf.py").read_text()


def test_the_api_page_has_every_public_name():
    page = (ROOT / "docs" / "api.rst").read_text()
    shown = set(re.findall(r"^\.\. auto\w+:: (?:steepest\.)?(\w+)", page, re.MULTILINE))
    assert set(st.__all__) | {"LinearRegressor", "LogisticClassifier"} <= shown

"""The files about the package agree with the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from steepest.extras import _PACKAGES, missing

ROOT = Path(__file__).parents[1]
tomllib = pytest.importorskip("tomllib")

pytestmark = pytest.mark.skipif(not (ROOT / "CITATION.cff").exists(), reason="tests of an installed wheel")


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def citation():
    return dict(re.findall(r"^([\w-]+): \"?(.*?)\"?$", (ROOT / "CITATION.cff").read_text("utf-8"), re.M))


def test_the_citation_is_of_this_version():
    found = citation()
    assert found["version"] == project()["version"]
    assert found["license"] == project()["license"]
    assert found["title"] == project()["name"]
    assert project()["authors"][0]["name"] in (ROOT / "CITATION.cff").read_text("utf-8")


def test_the_changes_name_this_version_last():
    versions = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert versions[versions[0] == "Unreleased"] == project()["version"]


def test_errors_name_the_packages_of_an_extra():
    """`pip install steepest[...]` is true only once a wheel is published."""
    extras = project()["optional-dependencies"]

    def packages(extra):
        for line in extras[extra]:
            own = re.fullmatch(r"steepest\[(.*)\]", line)
            if own:
                for other in own[1].split(","):
                    yield from packages(other)
            else:
                yield re.match(r"[\w.-]+(\[[\w,]+\])?(==[\w.]+)?", line)[0]

    for extra, named in _PACKAGES.items():
        assert named.split() == list(packages(extra)), extra
    assert str(missing("cupy", "cupy")) == "cupy is not installed: pip install cupy"

"""The objects of an ISA level share no symbol with the rest: an old processor could otherwise get AVX-512 code.

Looks at every build below build/, where `pip install .` leaves its objects.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("STEEPEST_BUILD_DIR", Path(__file__).parents[1] / "build"))
OBJECTS = sorted(BUILD.glob("**/kernels_*.dir/**/*.o"))
ENTRY = re.compile(r"^_{1,2}ZN8steepest\d+(passes|softmax|statistics|updates)_(?P<level>\w+?)E$")

needs_objects = pytest.mark.skipif(not OBJECTS, reason=f"no object files of a build in {BUILD}; set STEEPEST_BUILD_DIR")
needs_nm = pytest.mark.skipif(shutil.which("nm") is None, reason="nm, which lists symbols, is not installed")


@pytest.mark.skipif("STEEPEST_BUILD_DIR" not in os.environ, reason="STEEPEST_BUILD_DIR names no build")
def test_the_build_that_is_named_is_looked_at():
    assert OBJECTS, f"STEEPEST_BUILD_DIR={BUILD} holds no objects of kernels: the tests below would be skipped"
    assert shutil.which("nm"), "nm is not installed: the tests below would be skipped"


def symbols(path, *options):
    """The (type, name) of an object's symbols, as nm gives them."""
    lines = subprocess.run(["nm", *options, str(path)], capture_output=True, text=True, check=True).stdout.splitlines()
    return [tuple(line.split()[-2:]) for line in lines if line.strip()]


def name_of(path):
    return str(path.relative_to(BUILD))


@needs_objects
@needs_nm
@pytest.mark.parametrize("path", OBJECTS, ids=name_of)
def test_an_object_defines_its_table_and_nothing_else(path):
    level = re.search(r"kernels_(\w+)\.dir", str(path))[1]
    found = symbols(path, "--defined-only", "--extern-only")
    found = [(kind, name) for kind, name in found if not name.startswith("__odr_asan.")]  # the address sanitizer's
    assert len(found) == 1, found
    (kind, name), entry = found[0], ENTRY.match(found[0][1])
    assert entry, name
    assert entry["level"] == level
    assert kind in "DRS", f"{name} is {kind}"  # data: neither weak nor unique nor common


@needs_objects
@needs_nm
@pytest.mark.parametrize("path", OBJECTS, ids=name_of)
def test_an_object_calls_the_c_library_only(path):
    undefined = [name for _, name in symbols(path, "--undefined-only")]
    assert [name for name in undefined if name.lstrip("_").startswith("Z")] == []  # no C++ name


@needs_objects
def test_every_level_has_all_tables():
    for folder in {path.parent for path in OBJECTS}:
        tables = {"passes.cpp.o", "softmax.cpp.o", "statistics.cpp.o", "updates.cpp.o"}
        assert {path.name for path in folder.glob("*.o")} == tables

"""The objects of an ISA level share no symbol with the rest: an old processor could otherwise get AVX-512 code.

Looks at every build below build/, where `pip install .` leaves its objects, or below STEEPEST_BUILD_DIR. An installed
wheel leaves none; but a folder that is named must have them, since nothing would be looked at in silence.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from steepest import _core

BUILD = Path(os.environ.get("STEEPEST_BUILD_DIR", Path(__file__).parents[1] / "build"))
OBJECTS = sorted(BUILD.glob("**/kernels_*.dir/**/*.o"))
NAMES = (
    "codes", "column_descent", "double_double", "lazy", "narrow_columns", "passes", "softmax", "sparse", "statistics",
    "two_points", "updates",
)  # fmt: skip
ENTRY = re.compile(rf"^_{{1,2}}ZN8steepest\d+({'|'.join(NAMES)})_(?P<level>\w+?)E$")
TABLES = {f"{name}.cpp.o" for name in NAMES}

pytestmark = pytest.mark.skipif(
    "STEEPEST_BUILD_DIR" not in os.environ and not (OBJECTS and shutil.which("nm")),
    reason="no object files of a build in build/, or no nm, which lists their symbols",
)


def symbols(path, *options):
    """The (type, name) of an object's symbols, as nm gives them."""
    lines = subprocess.run(["nm", *options, str(path)], capture_output=True, text=True, check=True).stdout.splitlines()
    return [tuple(line.split()[-2:]) for line in lines if line.strip()]


def name_of(path):
    return str(path.relative_to(BUILD))


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


@pytest.mark.parametrize("path", OBJECTS, ids=name_of)
def test_an_object_calls_the_c_library_only(path):
    undefined = [name for _, name in symbols(path, "--undefined-only")]
    assert [name for name in undefined if name.lstrip("_").startswith("Z")] == []  # no C++ name


def test_the_levels_here_have_all_tables():
    """In each build: all objects of a level, and in one of the builds every level of the module that is in use."""
    assert OBJECTS, f"no object files of a build below {BUILD}, which STEEPEST_BUILD_DIR names"
    folders = {path.parents[3] for path in OBJECTS}
    for folder in {path.parent for path in OBJECTS}:
        assert {path.name for path in folder.glob("*.o")} == TABLES, folder
    levels = {level.replace("-", "_") for level in _core.isa_levels_supported()}
    found = [{path.name[len("kernels_") : -len(".dir")] for path in folder.glob("kernels_*.dir")} for folder in folders]
    assert any(levels <= each for each in found), found

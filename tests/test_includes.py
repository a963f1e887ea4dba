"""The includes of cpp/ and cuda/ run downward only: what a folder may use is itself and the folders below it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
INCLUDE = re.compile(r'^#include\s+"([^"]+)"', re.MULTILINE)
# From the lowest. A folder of cuda/ may use those of cpp/ up to the one beside it.
CPP = ("math", "kernels", "engine", "bindings")
CUDA = ("ptx", "kernels", "launch", "engine", "bindings")
BESIDE = {"ptx": "math", "kernels": "math", "launch": "math", "engine": "engine", "bindings": "bindings"}


def sources(folder):
    """The files below a folder that include others."""
    return [p for p in sorted((ROOT / folder).rglob("*")) if p.suffix in {".cpp", ".hpp", ".cu", ".cuh"}]


FILES = [*sources("cpp"), *sources("cuda")]


def allowed(path):
    """The folders that a file may include from."""
    top, folder, *_ = path.relative_to(ROOT).parts
    if top == "cpp":
        return {f"cpp/{name}" for name in CPP[: CPP.index(folder) + 1]}
    own = {f"cuda/{name}" for name in CUDA[: CUDA.index(folder) + 1]}
    return own | {f"cpp/{name}" for name in CPP[: CPP.index(BESIDE[folder]) + 1]}


def wrong_includes(path, text):
    """The includes of a file's text that are no files of the repository, or go up."""
    return [
        name
        for name in INCLUDE.findall(text)
        if not (ROOT / name).is_file() or str(Path(name).parent) not in allowed(path)
    ]


def test_all_folders_are_known():
    assert {p.relative_to(ROOT).parts[1] for p in sources("cpp")} == set(CPP)
    assert {p.relative_to(ROOT).parts[1] for p in sources("cuda")} == set(CUDA)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_includes_run_downward(path):
    assert wrong_includes(path, path.read_text()) == []


def test_an_arrow_upward_is_found():
    kernel = ROOT / "cpp" / "kernels" / "rows.hpp"
    assert wrong_includes(kernel, '#include "cpp/engine/order.hpp"\n#include "cpp/math/matrix.hpp"\n') == [
        "cpp/engine/order.hpp"
    ]
    assert wrong_includes(kernel, '#include "rows.hpp"\n') == ["rows.hpp"]
    launch = ROOT / "cuda" / "launch" / "epoch.cu"
    assert wrong_includes(launch, '#include "cpp/kernels/tables.hpp"\n') == ["cpp/kernels/tables.hpp"]


def test_only_the_bindings_know_python():
    for path in FILES:
        if path.relative_to(ROOT).parts[1] != "bindings":
            assert "pybind11" not in path.read_text(), path


def test_includes_have_no_cycles():
    """Within a folder too: every file can be laid above those that it includes."""
    left = {str(p.relative_to(ROOT)): set(INCLUDE.findall(p.read_text())) for p in FILES}
    while left:
        free = [name for name, uses in left.items() if not uses & left.keys()]
        assert free, f"these include each other: {sorted(left)}"
        for name in free:
            del left[name]

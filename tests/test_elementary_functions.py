"""The largest errors of exp, log1p, sigmoid and the log-loss, as docs/numbers.md states them.

`python tests/test_elementary_functions.py [stride]` prints the errors; a stride of 1 tries every float32 (minutes).
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import steepest as st
from steepest import _core

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "tests" / "native" / "math.cpp"
COMPILER = shutil.which("g++")
EMULATED = ["-O1", "-ffp-contract=off"]  # as tests/emulation/CMakeLists.txt compiles the CUDA code
STRIDE = 1009  # of the float32 that are tried; a prime, so that all bits vary

pytestmark = pytest.mark.skipif(COMPILER is None, reason="g++ compiles the program that measures the errors")


def flags_of(level):
    """The options with which the kernels of a level are compiled."""
    if level == "emulated":
        return EMULATED
    text = (ROOT / "CMakeLists.txt").read_text()
    kernels = re.search(r"set\(kernel_flags (.*?) \$<", text)
    own = re.search(rf"set\(flags_{level.replace('-', '_')} (.*)\)", text)
    assert kernels is not None
    assert own is not None, level
    return ["-O3", *kernels[1].split(), *own[1].strip('"').split()]


def errors(level, stride, folder):
    """The largest error in ULP, and where it is, by function and dtype."""
    program = Path(folder) / level
    command = [COMPILER, "-std=c++20", *flags_of(level), "-Wno-psabi", "-I", ROOT, SOURCE]
    subprocess.run([*map(str, command), "-o", str(program)], check=True)
    output = subprocess.run([str(program), str(stride)], check=True, capture_output=True, text=True).stdout
    rows = [line.split() for line in output.splitlines()]
    return {(function, dtype): (float(error), float(at)) for function, dtype, error, at in rows}


def promised():
    """The table of docs/numbers.md: the largest error by function and dtype."""
    rows = re.findall(
        r"^\| `([a-z_0-9]+[+-]?)` \|.*\| ([\d.]+) \| ([\d.]+) \|$", (ROOT / "docs" / "numbers.md").read_text(), re.M
    )
    return {
        (name, dtype): float(error)
        for name, *both in rows
        for dtype, error in zip(("float32", "float64"), both, strict=True)
    }


*OTHERS, BEST = _core.isa_levels_supported()
SLOW = [pytest.param(level, marks=pytest.mark.slow) for level in (*OTHERS, "emulated")]


@pytest.mark.parametrize("level", [*SLOW, BEST])
def test_no_error_is_larger_than_promised(level, tmp_path):
    found, limits = errors(level, STRIDE, tmp_path), promised()
    assert found.keys() == limits.keys()
    for key, (error, at) in found.items():
        assert error <= limits[key], (key, error, at)


# log(1 + e^-z) where e^-z is the last float32 (float64) below 1: the two scores differ by less than a unit.
@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize(("dtype", "gap"), [(np.float32, 6e-8), (np.float64, 1.2e-16)])
def test_softmax_of_scores_that_hardly_differ(isa, dtype, gap, k):
    objective = st.Softmax(np.ones((1, 1), dtype), np.zeros(1, dtype), intercept=False, n_classes=k)
    w = np.array([[gap], [0.0], [-50.0]][:k], dtype)
    assert objective.value(w) == pytest.approx(np.log(2), rel=1e-6)
    half = objective.value_and_gradient(w)
    assert half[0] == objective.value(w)
    assert half[1][0, 0] == pytest.approx(-0.5, rel=1e-6)


def test_softmax_of_scores_that_hardly_differ_over_16_bits(isa):
    X = np.full((1, 1), 2.0**-24, np.float16)
    objective = st.Softmax(X, np.zeros(1, np.float32), intercept=False, n_classes=2)
    assert objective.value(np.array([[1.0], [0.0]], np.float32)) == pytest.approx(np.log(2), rel=1e-6)


# e^z of NumPy: where it is a denormal, to a unit of these, and 0 where it rounds to 0.
@pytest.mark.parametrize(("dtype", "scores"), [
    (np.float32, [-80, -87, -87.5, -88, -95, -100, -103.2, -103.9, -104.1, -200, -3e38]),
    (np.float64, [-700, -708, -709, -720, -744, -745.1, -745.2, -746, -1e300]),
])  # fmt: skip
def test_exp_goes_on_into_denormals(isa, dtype, scores):
    n = len(scores)
    X, w = np.eye(n, dtype=dtype), np.array(scores, dtype)
    slopes = st.Logistic(X, np.zeros(n, dtype), intercept=False).gradient(w) * n
    exact = np.exp(w.astype(np.longdouble))
    spacing = np.maximum(np.spacing(exact.astype(dtype)), np.finfo(dtype).smallest_subnormal)
    assert (np.abs(slopes - exact) <= 3 * n * spacing).all(), (slopes, exact)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for level in [*_core.isa_levels_supported(), "emulated"]:
            for (function, dtype), (error, at) in errors(level, int((sys.argv[1:] or [STRIDE])[0]), folder).items():
                print(f"{level:10} {function:10} {dtype} {error:.4f} at {at:.17g}", flush=True)

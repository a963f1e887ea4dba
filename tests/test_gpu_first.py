"""The scripts for the first minutes on a GPU, rehearsed over the emulator and, where there is torch, on the CPU."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import gpu_arrays
import gpu_cases
import gpu_first
import gpu_peers
import harness
import steepest as st
from devices import emulated, real
from emulation.compile import COMPILER, DRIVERS

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.emulated
SMALL = ["--scale", "2e-6", "--repeats", "1", "--enough", "0"]


@pytest.fixture
def folder():
    """The folder of the emulated module."""
    return str(Path(emulated().__file__).parent)


def rows_of(path):
    """The lines of a file of results: the facts, and the rows by case."""
    facts, *rows = map(json.loads, path.read_text().splitlines())
    return facts, {row["case"]: row for row in rows}


@pytest.fixture
def rehearse(folder, tmp_path):
    """A function that rehearses the selected cases and returns the exit code, the facts and the rows."""

    def run(*arguments):
        out = tmp_path / "out.jsonl"
        return gpu_first.main([*SMALL, "--emulated", folder, "--out", str(out), *arguments]), *rows_of(out)

    return run


CASES = [
    "gradient/float32/16", "gradient/float32/1500", "gradient/bfloat16/30", "gradient/F/100", "gradient/small/1000",
    "epoch/32", "epoch/in order/32", "update/1000000", "fit/100",
]  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_case_is_checked_and_written_down(rehearse, capsys, case):
    code, facts, rows = rehearse("--only", case)
    assert "no time is a GPU's" in facts["measured on"]
    assert case in rows
    assert all(0 <= row["error"] < 1e-4 and row["ours"] > 0 and "failed" not in row for row in rows.values())
    assert code == 0
    printed = capsys.readouterr().out
    assert "A rehearsal over the emulator" in printed
    assert f"| {case} |" in printed


def test_every_case_that_is_asked_for_is_listed():
    labels = [label for label, _ in gpu_cases.cases(gpu_first.parse([]))]
    assert len(labels) == len(set(labels))
    for storage in ("float32", "bfloat16"):
        assert {f"gradient/{storage}/{d}" for d in (16, 30, 64, 100, 128, 1000, 1500, 10_000)} <= set(labels)
    assert {f"epoch/{b}" for b in (32, 256, 1024, 4096, 16_384)} <= set(labels)
    assert {f"update/{n}" for n in (10**6, 10**7, 10**8)} <= set(labels)


@pytest.mark.parametrize("case", ["gradient/float32/16", "epoch/32", "update/1000000"])
def test_a_wrong_answer_is_written_down_without_a_time(rehearse, monkeypatch, case):
    right = gpu_arrays.OwnArrays.host
    monkeypatch.setattr(
        gpu_arrays.OwnArrays,
        "host",
        lambda self, array: right(self, array) * (1.01 if isinstance(array, st.DeviceArray) else 1),
    )
    code, _, rows = rehearse("--only", case)
    assert code == gpu_first.FAILED
    assert all("WrongAnswer" in row["failed"] and "ours" not in row for row in rows.values())


def test_a_case_that_fails_does_not_end_the_run(rehearse, monkeypatch):
    def broken(bench, n):
        raise MemoryError("the GPU's memory is full")

    update = gpu_cases.update
    monkeypatch.setattr(gpu_cases, "update", lambda bench, n: (broken if n == 1_000_000 else update)(bench, n))
    code, _, rows = rehearse("--only", "update/*")
    assert code == gpu_first.FAILED
    assert rows["update/1000000"]["failed"] == "MemoryError: the GPU's memory is full"
    assert rows["update/10000000"]["ours"] > 0


class Broken(gpu_peers.Nothing):
    """A peer that fails, when it is made ready or when it is called."""

    def gradient(self, X, y, w):
        return lambda: (0.0, lambda: np.zeros(len(w)))

    def steps(self, X, y, batch, n, rate):
        raise RuntimeError("no graph was captured")

    def update(self, w, g, rate):
        return lambda: 1 // 0

    fit = steps


@pytest.mark.parametrize(
    ("case", "why"),
    [
        ("gradient/float32/16", "WrongAnswer"),
        ("epoch/32", "RuntimeError: no graph was captured"),
        ("update/1000000", "ZeroDivisionError"),
    ],
)
def test_a_peer_that_fails_is_left_out(cuda, case, why):
    options = gpu_first.parse(SMALL)
    bench = gpu_cases.Bench(options, gpu_arrays.OwnArrays(), {"broken": Broken()})
    row = dict(gpu_cases.cases(options))[case](bench)
    assert row["ours"] > 0
    assert "x broken" not in row
    assert row["left out"]["broken"].startswith(why)


def test_a_library_that_cannot_be_imported_is_left_out(monkeypatch):
    def broken(name):
        raise ImportError("made for another NumPy")

    monkeypatch.setattr(harness, "peer", broken)
    assert gpu_arrays.usable("cupy") is None
    assert gpu_first.version("cupy") == "cannot be imported: ImportError: made for another NumPy"


def test_what_there_was_no_time_for_is_named(rehearse):
    code, _, rows = rehearse("--only", "gradient/small/*", "--seconds", "-1")
    assert code == gpu_first.FAILED
    assert [row["failed"] for row in rows.values()] == ["not begun within -1 s"] * 3


@pytest.mark.skipif(real()[1] is None, reason="there is a GPU")
def test_without_a_gpu_the_script_says_why(capsys):
    assert gpu_first.main([]) == gpu_first.NO_DEVICE
    assert st.info()["cuda"] in capsys.readouterr().err


@pytest.mark.slow
def test_the_shell_script_is_rehearsed(folder, tmp_path):
    command = [ROOT / "tools" / "gpu_first.sh", "--python", sys.executable, "--emulated", folder]
    command += ["--out", tmp_path, "--scale", "2e-6"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
    steps = (tmp_path / "steps.txt").read_text()
    assert done.returncode == 0, steps + (tmp_path / "first.log").read_text()
    assert [line.split(":")[0] for line in steps.splitlines()] == ["tests", "first"]
    _, rows = rows_of(tmp_path / "results.jsonl")
    assert len(rows) == len(list(gpu_cases.cases(gpu_first.parse([]))))


def test_steps_that_take_too_long_end(folder, tmp_path):
    command = [ROOT / "tools" / "gpu_first.sh", "--python", sys.executable, "--emulated", folder]
    command += ["--out", tmp_path, "--seconds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "exit status 124 after" in done.stdout
    assert "no time was left" in done.stdout


# Stands for every program: it notes its arguments, and makes what it is asked to write by -o.
PROGRAM = """#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
if [ -n "$SLOW" ] && [ "$(basename "$0")" != nvidia-smi ]; then exec sleep 60; fi
while [ $# -gt 1 ]; do
  if [ "$1" = -o ]; then cp "$0" "$2" && chmod +x "$2"; fi
  shift
done
"""


def on_a_gpu(tmp_path, *arguments, **variables):
    """Run the script with programs that do nothing; return how it ended, its folder, and what was called."""
    programs, out, calls = tmp_path / "programs", tmp_path / "out", tmp_path / "calls"
    programs.mkdir()
    for name in ("python", "nvidia-smi", "nvcc", "compute-sanitizer"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "CALLS": str(calls), **variables}
    command = [ROOT / "tools" / "gpu_first.sh", "--python", programs / "python", "--out", out, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    return done, out, calls.read_text()


STEPS = ["machine", "build", "tests", "libraries", "first", "sanitizer"]


def test_the_steps_on_a_gpu_leave_logs_and_nothing_else(tmp_path):
    done, out, called = on_a_gpu(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line.split(":")[0] for line in (out / "steps.txt").read_text().splitlines()] == STEPS
    assert sorted(path.name for path in out.iterdir()) == sorted([*(f"{step}.log" for step in STEPS), "steps.txt"])
    for source in ("cuda/engine/sparse.cpp", "cuda/launch/sparse.cu", "tests/emulation/drivers/kernels.cpp"):
        assert f"-c {source} -o" in called
    assert called.index("\nkernels") < called.index("\ncompute-sanitizer")


def test_steps_that_take_all_their_time_leave_some_for_those_after_them(tmp_path):
    """Each step takes its share of the time that is left, so that all of them begin."""
    done, out, _ = on_a_gpu(tmp_path, "--seconds", "12", SLOW="1")
    lines = (out / "steps.txt").read_text().splitlines()
    assert [line.split(":")[0] for line in lines] == STEPS, done.stderr
    assert all("not begun" not in line for line in lines)
    assert sum(int(line.split(" of ")[1].removesuffix(" s")) for line in lines) <= 12 + len(STEPS)


@pytest.fixture
def build_requirements():
    """The module that tools/gpu_first.sh runs before it builds."""
    spec = importlib.util.spec_from_file_location("build_requirements", ROOT / "tools" / "build_requirements.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_a_build_needs_is_installed_or_named(build_requirements, monkeypatch, capsys, tmp_path):
    calls = []
    monkeypatch.setattr(build_requirements, "install", lambda names, folder: calls.append((names, folder)))
    monkeypatch.setattr(build_requirements, "required", lambda: ["numpy>=1.24"])
    assert build_requirements.main([str(tmp_path)]) == 0
    assert (calls, capsys.readouterr().err) == ([], "")
    monkeypatch.setattr(build_requirements, "required", lambda: ["numpy>=999", "no-such-backend>=1.0"])
    assert build_requirements.main([str(tmp_path)]) == 1
    assert calls == [(["numpy>=999", "no-such-backend>=1.0"], tmp_path)]
    told = capsys.readouterr().err
    assert f"numpy>=999 (there is {np.__version__})" in told
    assert "no-such-backend>=1.0 (there is none)" in told
    assert "--wheel" in told


def test_what_a_build_needs_is_what_pyproject_asks_for(build_requirements):
    assert any(name.startswith("scikit-build-core>=") for name in build_requirements.required())


WITHOUT_THE_EMULATOR = """
import sys
import pytest
import emulation.build
def build():
    raise RuntimeError("the emulator is built")
emulation.build.build = build
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.skipif(real()[1] is None, reason="there is a GPU")
def test_the_tests_on_a_gpu_do_not_build_the_emulator():
    """The step of the tests has no time for that."""
    tests = ROOT / "tests"
    files = [*tests.glob("test_cuda_*.py"), *tests.glob("test_device*.py")]
    options = ["-q", "-p", "no:cacheprovider", "-n", "0", "-k", "not emulated and not architectures"]
    environment = {**os.environ, "PYTHONPATH": f"{tests}:{os.environ.get('PYTHONPATH', '')}"}
    environment.pop("STEEPEST_EMULATED_DIR", None)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_EMULATOR, *options, *files],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_the_driver_of_the_kernels_is_compiled_without_the_emulator(tmp_path):
    """As gpu_first.sh does it, as far as the preprocessor goes: nvcc is not everywhere."""
    for header in ("cuda_runtime.h", "cooperative_groups.h"):
        (tmp_path / header).write_text("")
    folders = [f"-I{folder}" for folder in (ROOT, ROOT / "cuda" / "ptx", tmp_path)]
    command = [COMPILER, "-E", "-P", "-std=c++20", "-D__CUDACC__", *folders, "-x", "c++"]
    done = subprocess.run([*command, DRIVERS / "kernels.cpp"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "emulated::" not in done.stdout


@pytest.fixture
def on_the_cpu():
    """torch, with its tensors on the CPU, where its graphs and CuPy have no place."""
    torch = pytest.importorskip("torch")
    options = gpu_first.parse([*SMALL, "--scale", "1e-5"])
    return gpu_cases.Bench(options, gpu_arrays.Tensors(torch, "cpu"), {"torch": gpu_peers.Torch(torch)})


@pytest.mark.parametrize(
    "case", ["gradient/float32/16", "gradient/bfloat16/16", "gradient/F/100", "epoch/32", "update/1000000", "fit/100"]
)
def test_torch_is_a_contender(on_the_cpu, case):
    run = dict(gpu_cases.cases(on_the_cpu.options))[case]
    row = run(on_the_cpu)
    assert row["x torch"] > 0


def test_the_reference_is_that_of_the_package(monkeypatch):
    monkeypatch.setattr(gpu_arrays, "BLOCK_ELEMENTS", 50)
    rng = np.random.default_rng(0)
    X, y, w = rng.standard_normal((33, 7)), rng.integers(0, 2, 33).astype(float), rng.standard_normal(8)
    value, gradient = gpu_arrays.logistic(gpu_arrays.OwnArrays(), X, y, w)
    right = st.reference.logistic(X, y, w)
    harness.check("value", value, right[0], 1e-14)
    harness.check("gradient", gradient, right[1], 1e-13)

"""The architectures that a build compiles the CUDA kernels for. nvcc and nvidia-smi are fakes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHOICE = Path(__file__).parents[1] / "cuda" / "architectures.cmake"
KNOWN = {
    "13": "sm_75 sm_80 sm_86 sm_87 sm_88 sm_89 sm_90 sm_100 sm_110 sm_103 sm_120 sm_121",
    "12.0": "sm_50 sm_52 sm_60 sm_70 sm_75 sm_80 sm_86 sm_89 sm_90",
    "later": "sm_80 sm_90 sm_100 sm_120 sm_150",
}

pytestmark = [
    pytest.mark.skipif(shutil.which("cmake") is None, reason="cmake is not installed"),
    pytest.mark.skipif(not CHOICE.exists(), reason="tests of an installed wheel"),
]


def program(path, output, status=0):
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{output}\nEND\nexit {status}\n")
    path.chmod(0o755)
    return path


def chosen(folder, mode="AUTO", known="13", capabilities=None, given="", environment="", status=0):
    """What the build compiles for; `capabilities` is what nvidia-smi prints, None if there is no nvidia-smi."""
    nvcc = program(folder / "nvcc", KNOWN[known].replace(" ", "\n"))
    smi = "" if capabilities is None else program(folder / "nvidia-smi", capabilities, status)
    script = folder / "choose.cmake"
    script.write_text(f'include("{CHOICE}")\nmessage(STATUS "chosen=${{CMAKE_CUDA_ARCHITECTURES}}")\n')
    definitions = {
        "STEEPEST_CUDA": mode,
        "CMAKE_CUDA_COMPILER": nvcc,
        "CMAKE_CUDA_ARCHITECTURES": given,
        "STEEPEST_NVIDIA_SMI": smi or "STEEPEST_NVIDIA_SMI-NOTFOUND",
        "CMAKE_PROGRAM_PATH": "/nowhere",
    }
    command = ["cmake", *(f"-D{name}={value}" for name, value in definitions.items()), "-P", str(script)]
    run = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "CUDAARCHS": environment})
    assert run.returncode == 0, run.stderr
    return run.stdout.partition("chosen=")[2].strip().split(";")


def test_all_of_them_if_asked(tmp_path):
    assert chosen(tmp_path, "ON") == ["75-real", "80-real", "90-real", "100"]
    assert chosen(tmp_path, "ON", "12.0", "8.6") == ["75-real", "80-real", "90"]


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ("9.0", ["90-real"]),
        ("8.6\n8.6", ["86-real"]),
        ("8.0\n9.0", ["80-real", "90-real"]),
        ("12.0", ["120-real"]),
        ("15.0", ["75-virtual", "90-virtual"]),  # later than this nvcc
        ("9.0\n6.1", ["75-virtual", "90-virtual"]),
        ("", ["75-virtual", "90-virtual"]),
        ("NVIDIA-SMI has failed because it could not communicate with the driver", ["75-virtual", "90-virtual"]),
        (None, ["75-virtual", "90-virtual"]),
    ],
)
def test_the_devices_that_are_there_or_two(tmp_path, capabilities, expected):
    assert chosen(tmp_path, capabilities=capabilities) == expected


def test_a_driver_that_fails_is_no_device(tmp_path):
    assert chosen(tmp_path, capabilities="", status=9) == ["75-virtual", "90-virtual"]


def test_an_nvcc_without_turing(tmp_path):
    assert chosen(tmp_path, known="later") == ["80-virtual", "90-virtual"]


@pytest.mark.parametrize("mode", ["AUTO", "ON"])
def test_the_user_decides(tmp_path, mode):
    assert chosen(tmp_path, mode, capabilities="9.0", given="89") == ["89"]
    assert chosen(tmp_path, mode, capabilities="9.0", environment="80") == [""]  # which CMake takes from there

"""Compiles a C++ driver with the emulator, with or without a sanitizer, and runs it: for tests and planted faults."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-O1", "-g", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
SANITIZERS = {
    "plain": [],
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"],
    "thread": ["-fsanitize=thread"],
}
EMULATOR = [p for p in sorted(HERE.glob("*.cpp")) if p.stem != "bindings"]


def _call(command: Sequence[str | Path]) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")


def _compile(source: Path, target: Path, flags: Sequence[str]) -> Path:
    _call([COMPILER, *FLAGS, *flags, "-x", "c++", "-c", source, "-o", target])
    return target


@functools.cache
def reason_without(sanitizer: str) -> str | None:
    """Why programs with this sanitizer cannot be had here, or None where they can."""
    if shutil.which(COMPILER) is None:
        return f"no compiler {COMPILER}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "empty.cpp"
        source.write_text("int main() { return 0; }\n")
        program = source.with_suffix("")
        try:
            _call([COMPILER, *SANITIZERS[sanitizer], source, "-o", program])
            _call([*_launcher(sanitizer), program])
        except RuntimeError as error:
            return f"no {sanitizer} sanitizer: {error}"
    return None


@functools.cache
def _launcher(sanitizer: str) -> tuple[str, ...]:
    """The thread sanitizer of older compilers needs its addresses where they were without randomisation."""
    if sanitizer != "thread" or shutil.which("setarch") is None:
        return ()
    usable = subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False).returncode == 0
    return ("setarch", "-R") if usable else ()


def _emulator(folder: Path, sanitizer: str) -> list[Path]:
    """The emulator's objects; the thread sanitizer must not see the emulator itself."""
    flags = ["-DEMULATED_TSAN"] if sanitizer == "thread" else SANITIZERS[sanitizer]
    flags = [*flags, f"-I{HERE}", f"-I{ROOT / 'cpp/include'}"]
    newest = max(p.stat().st_mtime for pattern in ("*.cpp", "*.h*", "*.cuh") for p in HERE.glob(pattern))
    objects = {source: folder / f"{source.stem}.emulator.o" for source in EMULATOR}
    old = [s for s, o in objects.items() if not o.exists() or o.stat().st_mtime < newest]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda source: _compile(source, objects[source], flags), old))
    return list(objects.values())


def compile_driver(
    driver: Path, sanitizer: str = "plain", *, folder: Path | None = None, cuda: Path = ROOT / "cuda",
    kernels: Sequence[str] = (),
) -> Path:  # fmt: skip
    """Compile a driver against the sources in `cuda`, with those of its .cu files that are named, and link it.

    Objects lie in `folder`; the emulator's are only compiled when it has changed.
    """
    folder = (folder or ROOT / "build" / "emulation") / sanitizer
    folder.mkdir(parents=True, exist_ok=True)
    flags = [*SANITIZERS[sanitizer], f"-I{HERE}", f"-I{ROOT / 'cpp/include'}", f"-I{cuda}"]
    sources = [driver, *(cuda / name for name in kernels)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda s: _compile(s, folder / f"{s.name}.o", flags), sources))
    program = folder / driver.stem
    _call([COMPILER, *SANITIZERS[sanitizer], *objects, *_emulator(folder, sanitizer), "-o", program])
    return program


def run(program: Path, *arguments: str, seed: int = 0, sanitizer: str = "plain", **variables: str
        ) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run a driver at one schedule; variables go into its environment."""
    options = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "atexit_sleep_ms=0"}
    environment = {**os.environ, **options, "EMULATED_SEED": str(seed), **variables}
    return subprocess.run([*_launcher(sanitizer), program, *arguments], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=250, check=False)  # fmt: skip

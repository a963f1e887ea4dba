"""Compiles a C++ driver with the emulator, with or without a sanitizer, and runs it: for tests and planted faults."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DRIVERS = HERE / "drivers"
CUDA = ROOT / "cuda"
BUILD = ROOT / "build" / "emulation"
COMPILER = os.environ.get("CXX", "g++")
FLAGS = ["-std=c++20", "-O1", "-g1", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"]
SANITIZERS = {
    "": [],
    "address,undefined": [
        "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-fno-omit-frame-pointer"
    ],
    "thread": ["-fsanitize=thread"],
}  # fmt: skip
EMULATOR = [p for p in sorted(HERE.glob("*.cpp")) if p.stem != "bindings"]
# What a report says first, whoever makes it.
REPORT = re.compile(
    r"emulated CUDA: .*|wrong: .*|runtime error: .*|ERROR: \w+Sanitizer: [\w-]+|ThreadSanitizer: data race"
)


class Unavailable(RuntimeError):
    """A sanitizer cannot be had here."""


def _call(command: Sequence[str | Path]) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed:\n{done.stderr.decode(errors='replace')}")
    return done.stdout


def _compile(source: Path, flags: Sequence[str], folders: Sequence[Path]) -> Path:
    """The object of a source: made once for the same text after preprocessing and the same flags."""
    command = [COMPILER, *FLAGS, *flags, *(f"-I{folder}" for folder in folders), "-x", "c++", source]
    text = _call([*command, "-E", "-P"])
    digest = hashlib.sha256(text + " ".join([COMPILER, *FLAGS, *flags]).encode()).hexdigest()[:20]
    target = BUILD / "objects" / f"{source.stem}-{digest}.o"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as folder:
            _call([*command, "-c", "-o", Path(folder) / "object.o"])
            (Path(folder) / "object.o").replace(target)
    return target


@functools.cache
def launcher() -> tuple[str, ...]:
    """The thread sanitizer of older compilers needs its addresses where they were without randomisation."""
    if shutil.which("setarch") is None:
        return ()
    usable = subprocess.run(["setarch", "-R", "true"], capture_output=True, check=False).returncode == 0
    return ("setarch", "-R") if usable else ()


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
            _call([*launcher(), program])
        except RuntimeError as error:
            return f"no {sanitizer or 'plain'} programs: {error}"
    return None


def compile_driver(
    driver: Path, folder: Path, *, sanitizer: str = "", host_and_kernels: bool = False, changed: Path | None = None
) -> Path:
    """Compile a driver with the emulator, and with the sources of cuda/ if it needs them.

    The program lies in `folder`, objects in build/emulation. The thread sanitizer must not see the emulator itself.
    `changed` is a source of another folder named cuda, which takes the place of the source of its name, and whose
    headers are those of its folder. The linker takes its functions where others have the same.
    """
    if reason := reason_without(sanitizer):
        raise Unavailable(reason)
    flags, folders = SANITIZERS[sanitizer], [HERE, ROOT]
    jobs = [(source, ["-DEMULATED_TSAN"] if sanitizer == "thread" else flags, folders) for source in EMULATOR]
    # Two storages stand for all, which take twice as long to compile.
    fewer = [*flags, "-DSTEEPEST_FOR_EACH_STORAGE(X)=X(float, 0) X(BFloat16, 0)"] if host_and_kernels else flags
    sources = [driver, *CUDA.glob("engine/*.cpp"), *CUDA.glob("*/*.cu")] if host_and_kernels else [driver]
    if changed is not None:
        there = changed.parents[2]
        sources.remove(ROOT / changed.relative_to(there))
        jobs.insert(0, (changed, fewer, [HERE, there, ROOT]))
    jobs += [(source, fewer, folders) for source in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        objects = list(pool.map(lambda job: _compile(*job), jobs))
    program = folder / f"{driver.stem}-{sanitizer.partition(',')[0] or 'plain'}"
    _call([COMPILER, *SANITIZERS[sanitizer], *objects, "-o", program])
    return program


def run(program: Path, *arguments: str, seed: int = 0, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a driver at one schedule; variables go into its environment."""
    options = {"ASAN_OPTIONS": "detect_leaks=0", "TSAN_OPTIONS": "atexit_sleep_ms=0:halt_on_error=1"}
    environment = {**os.environ, **options, "EMULATED_SEED": str(seed), **variables}
    return subprocess.run([*launcher(), program, *arguments], env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace", timeout=250, check=False)  # fmt: skip


def run_driver(program: Path, *arguments: str, seed: int = 0, **variables: str) -> str | None:
    """Run a driver on a device of two multiprocessors; return what is found wrong, None where nothing is."""
    try:
        done = run(program, *arguments, seed=seed, **{"EMULATED_MULTIPROCESSORS": "2", **variables})
    except subprocess.TimeoutExpired:
        return "it does not end"
    report = REPORT.search(done.stdout)
    if report:
        return report[0]
    return f"exit status {done.returncode}" if done.returncode else None

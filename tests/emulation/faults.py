"""Plants faults in the CUDA kernels, one at a time, and says what catches each: `python tests/emulation/faults.py`.

`--one-of-each-kind` plants the first fault of each kind only.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from emulation.compile import CUDA, DRIVERS, Unavailable, compile_driver, run_driver
from emulation.fault_list import FAULTS, Fault

SEEDS = range(1, 3)
SANITIZERS = ("address,undefined", "thread")


def plant(fault: Fault, folder: Path) -> Path:
    """Copy cuda/ to the folder with the fault in it, and return the source that is to be compiled there."""
    cuda = folder / "cuda"
    shutil.copytree(CUDA, cuda)
    path = cuda / fault.file
    text = path.read_text()
    if text.count(fault.old) != 1:
        raise ValueError(f"{fault.file} holds {fault.old!r} {text.count(fault.old)} times, not once: mend the fault")
    path.write_text(text.replace(fault.old, fault.new))
    return cuda / fault.source


def _runs(name: str, part: str) -> Iterator[tuple[int, list[str], dict[str, str]]]:
    """Yield the seeds, the arguments and the variables of the runs of a driver, or of a part of it."""
    for seed in SEEDS:
        yield seed, [part] * bool(part), {}
        if name == "kernels" and part in ("", "stream"):
            # Before compute capability 9.0 other copies fill the rings of rows.
            yield seed, ["stream"], {"EMULATED_COMPUTE": "80"}
    if name == "kernels" and not part:
        yield SEEDS[0], ["without cooperative launches"], {"EMULATED_COOPERATIVE": "0"}


def catcher(
    changed: Path | None, folder: Path, name: str, sanitizers: Sequence[str] = SANITIZERS, part: str = ""
) -> str | None:
    """Return what finds the kernels wrong that a driver, or a part of it, runs; None where nothing does.

    They are compiled with a changed source if there is one.
    """
    for sanitizer in sanitizers:
        try:
            driver = compile_driver(
                DRIVERS / f"{name}.cpp", folder, sanitizer=sanitizer, host_and_kernels=True, changed=changed
            )
        except Unavailable:
            continue
        for seed, arguments, variables in _runs(name, part):
            found = run_driver(driver, *arguments, seed=seed, **variables)
            if found is not None:
                return f"{found} (seed {seed}, {', '.join([*arguments, sanitizer])})"
    return None


def caught_by(fault: Fault | None) -> str | None:
    """Return what catches the fault; of None, what is found in the kernels as they are."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if fault is not None:
            return catcher(plant(fault, folder), folder, fault.driver, fault.sanitizers, fault.part)
        found = (catcher(None, folder, driver) for driver in ("kernels", "hessian", "softmax"))
        return next((report for report in found if report is not None), None)


def missing_fence() -> str | None:
    """Return what catches a fence left out of a kernel of the self-test: those of cuda/ have barriers only."""
    with tempfile.TemporaryDirectory() as name:
        driver = compile_driver(DRIVERS / "selftest.cpp", Path(name), sanitizer="thread")
        found = (run_driver(driver, "no_fence", seed=seed) for seed in SEEDS)
        return next((f"{report} (thread)" for report in found if report is not None), None)


def main(*, one_of_each_kind: bool = False) -> int:
    """Print a line a fault; return how many were not caught, and 1 more where the clean kernels are called wrong."""
    faults = list({fault.kind: fault for fault in reversed(FAULTS)}.values()) if one_of_each_kind else FAULTS
    with ThreadPoolExecutor(2) as pool:
        clean, *found = pool.map(caught_by, [None, *faults])
    print(f"{'no fault':38} {clean or 'nothing found, as it must be'}")
    names = [(fault.kind, fault.name) for fault in faults]
    names.append(("missing fence", "a block's sum is read before it is written, in a kernel of the self-test"))
    found.append(missing_fence())
    for (kind, name), catch in zip(names, found, strict=True):
        print(f"{kind:38} {name}\n{'':38}   {catch or 'NOT CAUGHT'}")
    print(f"{len(found)} faults, {found.count(None)} not caught")
    return found.count(None) + (clean is not None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one-of-each-kind", action="store_true")
    sys.exit(main(one_of_each_kind=parser.parse_args().one_of_each_kind))

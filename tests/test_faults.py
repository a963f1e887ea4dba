"""The faults that CI plants in the CUDA kernels still have their places; `emulation/faults.py` sees them caught."""

from __future__ import annotations

import difflib
import filecmp

import pytest

from emulation.faults import CUDA, FAULTS, plant


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_changes_its_place_and_nothing_else(fault, tmp_path):
    cuda = plant(fault, tmp_path)
    files = {str(path.relative_to(CUDA)) for path in CUDA.rglob("*") if path.is_file()}
    assert {str(path.relative_to(cuda)) for path in cuda.rglob("*") if path.is_file()} == files
    assert filecmp.cmpfiles(CUDA, cuda, sorted(files), shallow=False)[1:] == ([fault.file], [])
    before, after = ((folder / fault.file).read_text() for folder in (CUDA, cuda))
    assert before.count(fault.old) == 1
    assert before.replace(fault.old, fault.new) == after
    changed = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    code = [line for line in changed if line[1:].strip() and not line[1:].strip().startswith("//")]
    assert code, "the fault changes comments only"


def test_each_kind_of_fault_and_each_fault_has_a_name_of_its_own():
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert len({(fault.file, fault.old, fault.new) for fault in FAULTS}) == len(FAULTS)

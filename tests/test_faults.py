"""The faults that CI plants in the CUDA kernels still have their places; `emulation/faults.py` sees them caught."""

from __future__ import annotations

import pytest

from emulation.faults import FAULTS, plant


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_place(fault, tmp_path):
    cuda = plant(fault, tmp_path)
    assert fault.new in (cuda / fault.file).read_text()

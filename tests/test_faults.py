"""The faults that CI plants in the CUDA kernels still have their places; `emulation/faults.py` sees them caught."""

from __future__ import annotations

import re

import pytest

from emulation import faults
from emulation.compile import CUDA
from emulation.fault_list import FAULTS, RACES, Fault
from emulation.faults import plant


def files(folder):
    return {path.relative_to(folder): path.read_text() for path in folder.rglob("*") if path.is_file()}


def code(text):
    """The text without comments and spaces: what a compiler reads."""
    return re.sub(r"//[^\n]*|/\*.*?\*/|\s", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_has_its_place(fault, tmp_path):
    """It changes code, in the one place that it names, and nothing else."""
    source = plant(fault, tmp_path)
    assert source.is_file()
    before, after = files(CUDA), files(source.parents[1])
    assert before.keys() == after.keys()
    assert [str(name) for name in before if before[name] != after[name]] == [fault.file]
    ours = next(name for name in before if str(name) == fault.file)
    first, last = before[ours].split(fault.old)
    assert after[ours] == first + fault.new + last
    assert code(before[ours]) != code(after[ours])


@pytest.mark.parametrize("kind", ["missing barrier", "off-by-one read"])
@pytest.mark.parametrize("sees", ["address,undefined", "thread", None])
def test_a_fault_is_shown_to_both_sanitizers_until_one_sees_it(monkeypatch, tmp_path, kind, sees):
    built = []
    monkeypatch.setattr(faults, "compile_driver", lambda *_, sanitizer, **__: built.append(sanitizer) or sanitizer)
    monkeypatch.setattr(faults, "run_driver", lambda driver, *_, **__: "wrong" if driver == sees else None)
    likely = "thread" if kind == "missing barrier" else "address,undefined"
    fault = next(each for each in FAULTS if each.kind == kind)
    assert fault.sanitizers[0] == likely
    assert (faults.catcher(tmp_path, tmp_path, "kernels", fault.sanitizers) is None) == (sees is None)
    assert built == list(fault.sanitizers)[: 1 if sees == likely else 2]
    assert set(fault.sanitizers) == set(faults.SANITIZERS)


def test_faults_have_each_kind_of_race():
    assert all(any(fault.kind.startswith(race) for fault in FAULTS) for race in RACES)


def test_faults_are_told_apart():
    assert len({fault.name for fault in FAULTS}) == len({(fault.file, fault.old) for fault in FAULTS}) == len(FAULTS)


@pytest.mark.parametrize(("old", "times"), [("no such code", 0), ("__syncthreads();", "several")])
def test_a_fault_without_a_place_of_its_own_is_refused(old, times, tmp_path):
    count = (CUDA / "kernels" / "tiles.cuh").read_text().count(old)
    assert count == 0 if times == 0 else count > 1
    with pytest.raises(ValueError, match=rf"^kernels/tiles\.cuh holds '.*' {count} times, not once"):
        plant(Fault("kind", "name", "kernels/tiles.cuh", old, "other"), tmp_path)


@pytest.mark.parametrize(
    ("clean", "missed", "status"), [(None, [], 0), (None, [0, 3], 2), ("data race", [], 1), ("data race", [2], 2)]
)
def test_what_is_not_caught_is_counted(monkeypatch, capsys, clean, missed, status):
    found = {None: clean} | {fault: None if i in missed else "caught" for i, fault in enumerate(FAULTS)}
    monkeypatch.setattr(faults, "caught_by", found.get)
    monkeypatch.setattr(faults, "missing_fence", lambda: "caught")
    assert faults.main() == status
    printed = capsys.readouterr().out
    assert printed.count("NOT CAUGHT") == len(missed)
    assert f"{len(FAULTS) + 1} faults, {len(missed)} not caught" in printed
    assert ("nothing found, as it must be" in printed) == (clean is None)

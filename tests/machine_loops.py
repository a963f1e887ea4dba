"""The loops of a CUDA module's machine code: what their loads wait for, and what stands in them."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from disassembly import Kernel, cuobjdump

INSTRUCTION = re.compile(r"\s+/\*([0-9a-f]{4,})\*/\s+(@!?U?P\w+)?\s*([A-Z][\w.]*)\s*(.*?);\s*$")
LABEL = re.compile(r"(\.L_x_\w+):")
SECTION = re.compile(r"\s*\.section\s+\.text\.([\w$]+)")
WIDTHS = {"64": 2, "128": 4, "256": 8}
ENDS = ("BRA", "BRX", "JMP", "JMX", "EXIT", "RET", "BPT")  # after which nothing follows, unless they have a predicate
DIVISION = re.compile(r"_(div|rem)_[us]\d")


class Instruction(NamedTuple):
    """A line of machine code; `name` is the operation with its modifiers."""

    address: int
    predicate: str
    name: str
    operands: str

    @property
    def operation(self) -> str:
        return self.name.partition(".")[0]

    @property
    def targets(self) -> list[str]:
        """The labels where it may go on."""
        if self.operation in ("BSSY", "CALL"):  # the former names where threads meet again, the latter comes back
            return []
        return re.findall(r"\.L_x_\w+", self.operands)

    @property
    def registers(self) -> set[int]:
        """Registers that it names. Of several that hold one number, the code names the first."""
        return {int(number) for number in re.findall(r"\bR(\d+)\b", self.operands)}

    @property
    def is_load(self) -> bool:
        """Whether it reads global or shared memory, into registers or, as an asynchronous copy, into shared memory."""
        return self.operation in ("LD", "LDG", "LDS", "LDGSTS")

    @property
    def loaded(self) -> set[int]:
        """The registers that a load fills."""
        if self.operation == "LDGSTS":
            return set()
        found = re.match(r"(?:U?P\w+,\s*)?R(\d+)\b", self.operands)
        width = next((WIDTHS[part] for part in self.name.split(".") if part in WIDTHS), 1)
        return set(range(int(found[1]), int(found[1]) + width)) if found else set()


class Trip(NamedTuple):
    """A way through a loop so far, with one load under way at most, which nothing has waited for, and all its loads."""

    outstanding: int | None
    loads: int

    def after(self, instruction: Instruction, loaded: dict[int, set[int]]) -> Trip | None:
        """The trip with one more instruction; None once two loads are under way."""
        outstanding, loads = self
        if outstanding is not None and (
            outstanding == instruction.address or loaded[outstanding] & instruction.registers
        ):
            outstanding = None
        if not instruction.is_load:
            return Trip(outstanding, loads)
        return Trip(instruction.address, loads + 1) if outstanding is None else None


class Code:
    """The instructions of a kernel by blocks, each of which ends with the only jump in it."""

    def __init__(self, instructions: list[Instruction], labels: dict[str, int]):
        self.instructions, self.labels = instructions, labels

    @cached_property
    def blocks(self) -> dict[int, list[Instruction]]:
        starts = {self.labels[target] for i in self.instructions for target in i.targets if target in self.labels}
        found: dict[int, list[Instruction]] = {}
        block: list[Instruction] | None = None
        for instruction in self.instructions:
            if block is None or instruction.address in starts:
                block = found.setdefault(instruction.address, [])
            block.append(instruction)
            if instruction.targets or instruction.operation in ENDS:
                block = None
        return found

    @cached_property
    def successors(self) -> dict[int, list[int]]:
        following = dict(pairwise(sorted(self.blocks)))
        found = {}
        for start, block in self.blocks.items():
            last = block[-1]
            to = [self.labels[target] for target in last.targets if target in self.labels]
            ends = last.operation in ENDS and not last.predicate and last.name not in ("BRA.DIV", "BRA.U.ANY")
            conditional = last.operation == "BRA" and re.match(r"!?U?P\d", last.operands)
            if (not ends or conditional) and start in following:
                to.append(following[start])
            found[start] = to
        return found

    def innermost_loops(self) -> Iterator[set[int]]:
        """Yield the blocks of each loop that reads memory and has no other such loop in it."""
        yield from self._loops(set(self.blocks), {})

    def _loops(self, nodes: set[int], cut: dict[int, set[int]]) -> Iterator[set[int]]:
        for component in self._components(nodes, cut):
            inner = list(self._loops(component, {**cut, self._header(component): component}))
            if inner:
                yield from inner
            elif any(i.is_load or i.operation == "UBLKCP" for i in self.of(component)):
                yield component

    def _header(self, loop: set[int]) -> int:
        """The block where the loop is entered."""
        entries = {to for node in self.blocks if node not in loop for to in self.successors[node] if to in loop}
        return min(entries or loop)

    def _edges(self, node: int, nodes: set[int], cut: dict[int, set[int]]) -> list[int]:
        return [to for to in self.successors[node] if to in nodes and node not in cut.get(to, ())]

    def _components(self, nodes: set[int], cut: dict[int, set[int]]) -> Iterator[set[int]]:
        """Yield the sets of blocks that reach each other (Tarjan, SIAM Journal on Computing 1, 1972)."""
        index: dict[int, int] = {}
        low: dict[int, int] = {}
        stack: list[int] = []
        on_stack: set[int] = set()
        for root in sorted(nodes):
            if root in index:
                continue
            work = [(root, iter(self._edges(root, nodes, cut)))]
            index[root] = low[root] = len(index)
            stack.append(root)
            on_stack.add(root)
            while work:
                node, edges = work[-1]
                for to in edges:
                    if to not in index:
                        index[to] = low[to] = len(index)
                        stack.append(to)
                        on_stack.add(to)
                        work.append((to, iter(self._edges(to, nodes, cut))))
                        break
                    if to in on_stack:
                        low[node] = min(low[node], index[to])
                else:
                    work.pop()
                    if work:
                        low[work[-1][0]] = min(low[work[-1][0]], low[node])
                    if low[node] == index[node]:
                        component = set()
                        while node not in component:
                            component.add(stack.pop())
                        on_stack -= component
                        if len(component) > 1 or node in self._edges(node, nodes, cut):
                            yield component

    def of(self, loop: Iterable[int]) -> list[Instruction]:
        """The instructions of the loop."""
        return [instruction for start in sorted(loop) for instruction in self.blocks[start]]

    def starves(self, loop: set[int]) -> bool:
        """Whether the way with the most loads, two at least, waits for each before it asks for the next one.

        Other ways may be ones that no thread goes: a load that comes without the loads of the same condition.
        """
        loaded = {i.address: i.loaded for i in self.of(loop) if i.is_load}
        most = self._most_loads(loop)
        if most < 2:
            return False
        ends = {Trip(None, 0)}
        for _ in range(2):  # the second time with what the trip before it left under way
            ends = self._trips(loop, {Trip(trip.outstanding, 0) for trip in ends}, loaded)
        return any(trip.loads == most for trip in ends)

    def _trips(self, loop: set[int], begun: set[Trip], loaded: dict[int, set[int]]) -> set[Trip]:
        """How trips that begin so at the loop's header come back to it."""
        header = self._header(loop)
        ends: set[Trip] = set()
        seen: set[tuple[int, Trip]] = set()
        work = [(header, trip) for trip in begun]
        while work:
            start, trip = work.pop()
            if (start, trip) in seen:
                continue
            seen.add((start, trip))
            now: Trip | None = trip
            for instruction in self.blocks[start]:
                now = now and now.after(instruction, loaded)
            for to in self.successors[start] if now else ():
                if to == header:
                    ends.add(now)
                elif to in loop:
                    work.append((to, now))
        return ends

    def _most_loads(self, loop: set[int]) -> int:
        """The loads on the way with the most of them from the header back to it. Loops within have none."""
        header = self._header(loop)
        found: dict[int, float] = {}

        def most(start: int) -> float:
            if start not in found:
                found[start] = -math.inf  # of a way that comes back here
                following = [0 if to == header else most(to) for to in self.successors[start] if to in loop]
                found[start] = sum(i.is_load for i in self.blocks[start]) + max(following, default=-math.inf)
            return found[start]

        return int(max(most(header), 0))

    def divides_while_it_copies(self, loop: set[int]) -> bool:
        """Whether a loop that fills shared memory calls a division of integers."""
        copies = any(i.operation in ("LDGSTS", "UBLKCP", "STS") for i in self.of(loop))
        return copies and any(i.operation == "CALL" and DIVISION.search(i.operands) for i in self.of(loop))

    def reaches(self, first: Instruction, last: str, barrier: str) -> bool:
        """Whether an instruction named `last` can be reached from `first` without passing one named `barrier`."""
        start = max(at for at in self.blocks if at <= first.address)
        seen: set[int] = set()
        work = [(start, first.address)]
        while work:
            block, after = work.pop()
            for instruction in self.blocks[block]:
                if instruction.address <= after:
                    continue
                if instruction.name.startswith(barrier):
                    break
                if instruction.name.startswith(last):
                    return True
            else:
                new = [to for to in self.successors[block] if to not in seen]
                seen.update(new)
                work += [(to, -1) for to in new]
        return False


def _listing(text: Iterable[str], architecture: str) -> Iterator[tuple[Kernel, Code]]:
    symbol, instructions, labels, waiting = "", [], {}, []
    for line in text:
        if section := SECTION.match(line):
            if instructions:
                yield Kernel(architecture, symbol), Code(instructions, labels)
            symbol, instructions, labels, waiting = section[1], [], {}, []
        elif label := LABEL.match(line):
            waiting.append(label[1])
        elif found := INSTRUCTION.match(line):
            instruction = Instruction(int(found[1], 16), found[2] or "", found[3], found[4])
            labels.update(dict.fromkeys(waiting, instruction.address))
            waiting = []
            instructions.append(instruction)
    if instructions:
        yield Kernel(architecture, symbol), Code(instructions, labels)


def codes(path: str | Path) -> dict[Kernel, Code]:
    """For each kernel of a module or a fatbin, its instructions."""
    tool = cuobjdump()
    assert tool is not None
    beside = Path(tool).with_name("nvdisasm")
    nvdisasm = str(beside) if beside.exists() else shutil.which("nvdisasm")
    found: dict[Kernel, Code] = {}
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([tool, "-xelf", "all", Path(path).resolve()], cwd=folder, check=True, capture_output=True)
        for cubin in sorted(Path(folder).glob("*.cubin")):
            text = subprocess.run([nvdisasm, "-c", cubin], check=True, capture_output=True, text=True).stdout
            architecture = re.search(r"\.target\s+sm_(\w+)", text)[1]
            found.update(_listing(text.splitlines(), architecture))
    return found

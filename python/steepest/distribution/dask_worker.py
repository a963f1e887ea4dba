"""What runs in a Dask worker: it keeps parts, and answers what is asked of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numpy.typing import NDArray

from ..extras import require
from ..objectives.questions import HeldPart
from ..parts.engine import Question
from ..parts.tree import Node, Tree
from ..runtime import own_threads
from .blocks import Block, digest_of, held_part, in_part

__all__ = ["OPERATION", "PartsPlugin", "Wanted", "packed", "unpacked"]

OPERATION = "steepest_parts"  # the name of the workers' handler
WorkerPlugin: Any = require("distributed", "dask").WorkerPlugin
to_serialize: Callable[[Any], Any] = require("distributed.protocol", "dask").to_serialize
_pickle: Any = require("distributed.protocol.pickle", "dask")

# A chunk: its key in Dask, and its number.
Wanted = tuple[str, int]


def packed(*given: Any) -> Any:
    """Return objects as one message. Arrays are copied into it, so that they are aligned where they arrive."""
    return to_serialize(_pickle.dumps(given))


def unpacked(message: Any) -> tuple[Any, ...]:
    """Return the objects of a message."""
    found: tuple[Any, ...] = _pickle.loads(message)
    return found


class PartsPlugin(WorkerPlugin):  # type: ignore[misc]
    """Lets a worker keep parts. Dask registers it with every worker, those that come later among them."""

    name = OPERATION

    def setup(self, worker: Any) -> None:
        """Give the worker a keeper, unless it has one."""
        self._keeper = worker.extensions.setdefault(OPERATION, Keeper(worker))
        worker.handlers[OPERATION] = self._keeper.handle

    def transition(self, key: Any, start: str, finish: str, **_: Any) -> None:
        """Drop a part whose chunk the worker lets go of."""
        if start == "memory":
            self._keeper.forget(key)


class Keeper:
    """Keeps the parts that are made of a worker's chunks.

    Kernels run in a thread of their own, one call after the other, with as many threads as the worker has.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._parts: dict[str, HeldPart] = {}
        self._pool = ThreadPoolExecutor(1, "steepest")

    def close(self) -> None:
        """End the thread. The worker calls it when it closes."""
        self._pool.shutdown(wait=False)

    def forget(self, key: str) -> None:
        """Drop a part."""
        self._parts.pop(key, None)

    async def handle(self, call: str, own: Any = None, common: Any = None) -> Any:
        """Run a method in the thread of the kernels, and return its result or its error."""
        if call == "ping":
            return {"ok": None}
        methods: dict[str, Callable[..., Any]] = {"measure": self.measure, "hold": self.hold, "answer": self.answer}
        loop = asyncio.get_running_loop()
        try:
            return {"ok": await loop.run_in_executor(self._pool, self._run, methods[call], own, common)}
        except Exception as error:
            return {"error": to_serialize(error)}

    def _run(self, method: Callable[..., Any], own: Any, common: Any) -> Any:
        with own_threads(self._worker.state.nthreads):
            return packed(method(*unpacked(own), *unpacked(common)))

    def _block(self, key: str) -> Block | None:
        block: Block | None = self._worker.data.get(key)
        return block

    def measure(self, wanted: Sequence[Wanted]) -> dict[int, int]:
        """Return the rows of those chunks that are here."""
        found = {number: self._block(key) for key, number in wanted}
        return {number: int(block.X.shape[0]) for number, block in found.items() if block is not None}

    def hold(self, wanted: Sequence[Wanted], more: Sequence[Block]) -> dict[int, int]:
        """Make parts of those chunks that are here, with more targets and weights. Return their checksums."""
        digests = {}
        for (key, number), extra in zip(wanted, more, strict=True):
            block = self._block(key)
            if block is None:
                continue
            y, weight = (own if own is not None else other for own, other in zip(block[1:], extra[1:], strict=True))
            try:
                self._parts[key] = held_part(number, Block(block.X, y, weight))
            except Exception as error:
                raise in_part(number, error) from None
            digests[number] = digest_of(self._parts[key])
        return digests

    def answer(
        self, wanted: Sequence[Wanted], n: int, question: Question, *arrays: NDArray[Any]
    ) -> tuple[list[int], list[Node]]:
        """Ask those parts that are here. Return their numbers, and the nodes of a tree of n parts that they make."""
        tree, found = Tree(n, question.add), []
        for key, number in wanted:
            part = self._parts.get(key)
            if part is None:
                continue
            try:
                tree.put(number, question.of(part, *arrays))
            except Exception as error:
                where = f" (on the worker {self._worker.address})"
                raise in_part(number, error, where=where) from error
            found.append(number)
        return found, tree.nodes

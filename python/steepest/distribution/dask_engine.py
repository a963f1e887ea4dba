"""`DaskEngine`: parts on the workers of a Dask cluster."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from typing import Any

from numpy.typing import NDArray

from ..parts.engine import Question
from ..parts.tree import Tree
from .blocks import Block, in_part
from .dask_calls import Workers
from .dask_chunks import Chunks, owners
from .dask_worker import OPERATION, PartsPlugin, Wanted

__all__ = ["DaskEngine"]

_ROUNDS = 20  # in which no part answers, before a pass is given up
_PAUSE = 0.05  # seconds, before the scheduler is asked again where parts are


class DaskEngine:
    """Parts on the workers of a Dask cluster, where they stay. `parts` makes one.

    A pass is one message to each worker and one back. Both go directly to the worker where the client can reach it,
    else through the scheduler. A worker adds up the answers of its parts along the tree, and the client adds the rest.

    If a worker is lost, Dask makes its parts again on other ones, and the engine asks them. The bits stay the same.

    Parameters
    ----------
    client : distributed.Client
    chunks : Chunks
        What the parts are made of.
    timeout : float
        Seconds without a sign of life after which a wait is an error.
    """

    def __init__(self, client: Any, chunks: Chunks, timeout: float) -> None:
        self._workers, self._timeout = Workers(client, timeout), timeout
        self._lock = threading.RLock()
        self._homes: dict[int, str] = {}  # of each part that is held: its worker
        self._lost: dict[int, str] = {}  # of parts that were lost: what became of their worker
        self._digests: dict[int, int] = {}
        client.register_plugin(PartsPlugin(), name=OPERATION)
        self._futures: dict[int, Any] = {}
        self._futures, self._tasks = self._made(client, chunks), dict(enumerate(chunks.tasks))
        sizes = self._of_all(self._futures, "measure", lambda some: (some,), "chunk")
        filled = [number for number in range(len(sizes)) if sizes[number]]
        starts = [0, *accumulate(sizes[number] for number in filled)]
        if not starts[-1]:
            raise ValueError("X must have at least one row, got none in any chunk")
        self._futures, self._tasks = (
            {part: of_chunk[number] for part, number in enumerate(filled)} for of_chunk in (self._futures, self._tasks)
        )
        self._n, self._starts, self._more = len(filled), starts, (chunks.y, chunks.weight)
        for name, each in zip(("y", "sample_weight"), self._more, strict=True):
            if each is not None and len(each) != starts[-1]:
                raise ValueError(f"{name} must have an element for each of the {starts[-1]} rows of X, got {len(each)}")
        self._hold(self._futures)

    def n_parts(self) -> int:
        """Return the number of parts: of the chunks that have rows."""
        return self._n

    def reduce(self, question: Question, *arrays: NDArray[Any]) -> Any:
        """Ask the parts, and return the total of their answers.

        Raises
        ------
        TimeoutError
            A worker does not respond for ``timeout`` seconds, or the parts of a lost one were not made again.
        RuntimeError
            The parts of a lost worker cannot be made again, or are not the same. Or the engine is closed.
        """
        with self._lock:
            if not self._futures:
                raise RuntimeError("the engine is closed, and its workers hold no parts any more")
            tree, todo = Tree(self._n, question.add), set(range(self._n))
            if question.asks is not None:
                for part in todo - question.asks:
                    tree.put(part, None)
                todo &= question.asks
            rounds = 0
            while todo:
                self._hold(todo - self._homes.keys())
                before = len(todo)
                for found, nodes in self._asked(todo, question, arrays):
                    tree.take(nodes)
                    todo.difference_update(found)
                for part in todo:  # lost, or dropped by its worker
                    self._homes.pop(part, None)
                rounds = 0 if len(todo) < before else rounds + 1
                if rounds == _ROUNDS:
                    raise RuntimeError(f"part {min(todo)} did not stay on any worker{self._after(*todo)}")
            return tree.total()

    def close(self) -> None:
        """Let go of the parts, which the workers then drop."""
        with self._lock:
            for future in self._futures.values():
                future.release()
            self._futures, self._homes = {}, {}

    def _made(self, client: Any, chunks: Chunks) -> dict[int, Any]:
        """Have the blocks of all chunks made: where X is already, or in shares of neighbours. Return their futures."""
        try:
            client.wait_for_workers(1, timeout=self._timeout)
        except TimeoutError:
            raise TimeoutError(f"client must have a worker, got none within {self._timeout:g} s") from None
        homes: dict[int, str | None] = dict(enumerate(owners(len(chunks.tasks), client.nthreads())))
        if chunks.futures is not None:
            of_x = dict(enumerate(chunks.futures))
            self._wait(of_x, "chunk")
            homes = self._workers.holders(of_x)
        shares: dict[str | None, list[int]] = defaultdict(list)
        for number, home in homes.items():
            shares[home].append(number)
        futures: dict[int, Any] = {}
        for home, share in shares.items():
            where = {} if home is None else {"workers": [home], "allow_other_workers": True}
            futures.update(zip(share, client.compute([chunks.tasks[i] for i in share], **where), strict=True))
        return futures

    def _hold(self, some: Iterable[int]) -> None:
        """Have parts held by the workers that have their blocks."""

        def own(wanted: list[Wanted]) -> tuple[Any, ...]:
            return wanted, [self._more_of(part) for _, part in wanted]

        for part, digest in self._of_all(some, "hold", own, "part", self._homes).items():
            if self._digests.setdefault(part, digest) != digest:
                why = "its rows must come from a computation that gives the same bits each time"
                raise RuntimeError(f"part {part} was made again with other numbers{self._after(part)}; {why}")

    def _more_of(self, part: int) -> Block:
        """Return the targets and weights of a part that are in this process."""
        rows = slice(*self._starts[part : part + 2])
        return Block(None, *(None if each is None else each[rows] for each in self._more))

    def _of_all(
        self,
        numbers: Iterable[int],
        call: str,
        own: Callable[[list[Wanted]], tuple[Any, ...]],
        what: str,
        homes: dict[int, str] | None = None,
    ) -> dict[int, Any]:
        """Ask the workers that have the results of tasks for a number of each. Keep which worker gave it."""
        found: dict[int, Any] = {}
        since = time.monotonic()
        while todo := {number: self._futures[number] for number in numbers if number not in found}:
            self._wait(todo, what)
            shares = defaultdict(list)
            for number, home in self._workers.holders(todo).items():
                if home is not None:
                    shares[home].append((todo[number].key, number))
            before = len(found)
            replies = self._workers.ask(call, {home: own(share) for home, share in shares.items()})
            for home, result in self._results(replies, {home: [i for _, i in share] for home, share in shares.items()}):
                found.update(result)
                if homes is not None:
                    homes.update(dict.fromkeys(result, home))
            if len(found) > before:
                since = time.monotonic()
            elif time.monotonic() - since > self._timeout:
                raise TimeoutError(f"no worker gave {what} {min(todo)} within {self._timeout:g} s{self._after(*todo)}")
            else:
                time.sleep(_PAUSE)
        return found

    def _asked(self, parts: set[int], question: Question, arrays: tuple[Any, ...]) -> Iterator[Any]:
        """Yield what workers answer for their parts among some."""
        shares: dict[str, list[int]] = defaultdict(list)
        for part in sorted(parts):
            shares[self._homes[part]].append(part)
        own = {home: ([(self._futures[part].key, part) for part in share],) for home, share in shares.items()}
        for _, result in self._results(self._workers.ask("answer", own, self._n, question, *arrays), shares):
            yield result

    def _results(self, replies: dict[str, Any], shares: dict[str, list[int]]) -> Iterator[tuple[str, Any]]:
        """Yield the results among replies. Raise an error of a worker's code, and note which workers are lost."""
        for home, reply in replies.items():
            if reply.lost is not None:
                self._lost.update(dict.fromkeys(shares[home], f"the worker {home} was lost ({reply.lost})"))
        errors = [(shares[home], reply.error) for home, reply in replies.items() if reply.error is not None]
        if errors:
            raise min(errors, key=lambda each: each[0])[1]
        for home, reply in replies.items():
            if reply.lost is None:
                yield home, reply.result

    def _wait(self, futures: dict[int, Any], what: str) -> None:
        """Wait until tasks have ended well."""
        self._workers.wait(futures, self._after(*futures), self._submitted_again)
        for number, future in futures.items():
            if future.status == "error":
                raise in_part(number, future.exception(), what) from None
            if future.cancelled():
                why = "Dask cannot make it again, since its data were scattered or cancelled"
                raise RuntimeError(f"{what} {number} is lost: {why}{self._after(number)}")

    def _submitted_again(self, numbers: list[int]) -> dict[int, Any]:
        """Have tasks forgotten and submit them anew, for any worker. Return their futures."""
        if not self._futures:
            return {}
        for number in numbers:
            self._futures.pop(number).release()
        self._workers.client.sync(asyncio.sleep, _PAUSE)  # releases come before the new tasks
        made = self._workers.client.compute([self._tasks[number] for number in numbers])
        again = dict(zip(numbers, made, strict=True))
        self._futures.update(again)
        return again

    def _after(self, *numbers: int) -> str:
        """Return what was lost before, for an error."""
        told = sorted({self._lost[number] for number in numbers if number in self._lost})
        return "".join(f"; {each}" for each in told)

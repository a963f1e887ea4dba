"""Messages from a client to its Dask workers, and waits for their tasks. Every wait ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..extras import require
from .dask_worker import OPERATION, packed, unpacked

__all__ = ["Reply", "Workers"]

_PING = {"call": "ping"}
_CONNECT = 5.0  # seconds for the first contact with a worker, after which the scheduler passes messages on
_STUCK = 2.0  # seconds in which no worker computes, after which waiting tasks are stuck
_LOOK = 0.5  # seconds between two looks at what is waited for


class Reply(NamedTuple):
    """What came of a message: a result, an error of the worker's code, or the reason why the worker counts as lost."""

    result: Any = None
    error: Exception | None = None
    lost: str | None = None


async def _dropped() -> Reply:
    return Reply(lost="the scheduler has dropped it")


class Workers:
    """The workers of a client.

    Parameters
    ----------
    client : distributed.Client
    timeout : float
        Seconds without a sign of life after which a wait is an error.
    """

    def __init__(self, client: Any, timeout: float) -> None:
        self.client, self.timeout = client, timeout
        self._direct: dict[str, bool] = {}  # by address: whether this process reaches the worker
        self._distributed = require("distributed", "dask")

    def ask(self, call: str, own: Mapping[str, tuple[Any, ...]], *common: Any) -> dict[str, Reply]:
        """Call a method on each of some workers, with arguments of its own and with common ones. Return the replies.

        Raises
        ------
        TimeoutError
            A worker is there and does not respond.
        """
        found: dict[str, Reply] = self.client.sync(self._ask_all, call, own, packed(*common))
        return found

    async def _ask_all(self, call: str, own: Mapping[str, tuple[Any, ...]], common: Any) -> dict[str, Reply]:
        tasks = {}
        for address, given in own.items():
            message = {"call": call, "own": packed(*given), "common": common}
            tasks[address] = asyncio.ensure_future(self._ask(address, message))
        try:
            await self._watch(tasks)
            return {address: await task for address, task in tasks.items()}
        finally:
            for task in tasks.values():
                task.cancel()

    async def _ask(self, address: str, message: dict[str, Any]) -> Reply:
        try:
            if address not in self._direct:
                self._direct[address] = await self._reaches(address)
            reply = await self._send(address, message, self._direct[address])
        except OSError as error:  # of the connection: those of the worker's code come in replies
            self._direct.pop(address, None)
            return Reply(lost=f"the connection broke, {type(error).__name__}")
        return Reply(error=reply["error"]) if "error" in reply else Reply(unpacked(reply["ok"])[0])

    async def _watch(self, tasks: dict[str, asyncio.Task[Reply]]) -> None:
        """Return when all workers have replied or are gone. They may take long, while they respond to pings."""
        pinged = time.monotonic()
        while pending := [task for task in tasks.values() if not task.done()]:
            if not (await asyncio.wait(pending, timeout=min(_LOOK, self.timeout)))[1]:
                return
            there = await asyncio.wait_for(self.client.scheduler.ncores(), self.timeout)
            for address in [address for address, task in tasks.items() if not (task.done() or address in there)]:
                tasks[address].cancel()
                tasks[address] = asyncio.ensure_future(_dropped())
            if time.monotonic() - pinged > self.timeout / 2:
                await asyncio.gather(*(self._ping(address) for address, task in tasks.items() if not task.done()))
                pinged = time.monotonic()

    async def _ping(self, address: str) -> None:
        try:
            await asyncio.wait_for(self._send(address, _PING, self._direct.get(address, False)), self.timeout / 2)
        except TimeoutError:
            raise TimeoutError(f"the worker {address} does not respond for {self.timeout:g} s") from None
        except OSError:  # so ends its call, too
            pass

    async def _reaches(self, address: str) -> bool:
        """Return whether this process reaches a worker itself."""
        if self.client.direct_to_workers is False:
            return False
        try:
            await asyncio.wait_for(self._send(address, _PING, True), min(_CONNECT, self.timeout))
        except (OSError, TimeoutError):
            return False
        return True

    async def _send(self, address: str, message: dict[str, Any], directly: bool) -> dict[str, Any]:
        if directly:
            reply = await getattr(self.client.rpc(address), OPERATION)(**message)
        else:
            reply = await self.client.scheduler.proxy(worker=address, msg={"op": OPERATION, **message})
        found: dict[str, Any] = reply
        return found

    def wait(self, futures: dict[int, Any], after: str, stuck: Callable[[list[int]], dict[int, Any]]) -> None:
        """Wait until tasks have ended, well or not. They may take long, while some worker computes anything.

        Dask leaves tasks of a worker that is gone waiting for it, if no other was there at that time. `stuck` is called
        with the numbers of such tasks, and returns new ones.

        Raises
        ------
        TimeoutError
            None of them has ended, and no worker has computed, for ``timeout`` seconds. ``after`` is said then.
        """
        since = idle = time.monotonic()
        todo = len(futures)
        while left := [i for i, future in futures.items() if not (future.done() or future.cancelled())]:
            if self._ended([futures[i] for i in left]):
                continue
            now = time.monotonic()
            if len(left) < todo or self._works():
                since, idle, todo = now, now, len(left)
            if now - since > self.timeout:
                waiting = f"{len(left)} of {len(futures)} chunks were not made within {self.timeout:g} s"
                raise TimeoutError(f"{waiting}, and the client has {len(self.client.nthreads())} workers{after}")
            if now - idle > _STUCK and self.client.nthreads():
                futures.update(stuck(left))
                idle = now

    def _ended(self, futures: list[Any]) -> bool:
        """Return whether tasks end within a moment."""
        try:
            self._distributed.wait(futures, timeout=min(_LOOK, self.timeout))
        except TimeoutError:
            return False
        except asyncio.CancelledError:  # of the future of a task that is given up
            return True
        return True

    def _works(self) -> bool:
        """Return whether a worker computes."""
        try:
            found = self.client.sync(self.client.scheduler.processing, callback_timeout=self.timeout)
        except (OSError, TimeoutError):  # the scheduler is gone
            return False
        return any(found.values())

    def holders(self, futures: Mapping[int, Any]) -> dict[int, str | None]:
        """Return a worker that has the result of each task, or None where none has it at the moment."""
        keys = [future.key for future in futures.values()]
        found = self.client.sync(self.client.scheduler.who_has, keys=keys, callback_timeout=self.timeout)
        return {number: min(found.get(future.key) or [None]) for number, future in futures.items()}

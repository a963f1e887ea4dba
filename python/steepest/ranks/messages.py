"""Messages of objects between ranks. Arrays go as they lie in memory; only what surrounds them is pickled."""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Mail", "Message"]

Bytes = NDArray[np.uint8]
_HEAD = struct.Struct("<qQq")  # status, digest, number of blobs
_SIZE = np.dtype(np.int64).itemsize
_FIRST = 1 << 14  # bytes of the first of a message's buffers, at most; smaller messages have no other
_MOST_BLOBS = 1024
_LARGE, _MOST_KEPT = 1 << 16, 4  # bytes of a buffer whose memory is kept, and their number
_UNUSED = 3  # references to such a buffer: those of the list, of the loop and of the call that counts them
_MOST_BYTES = 1 << 30  # of one buffer: MPI counts in 32 bits


class Message(NamedTuple):
    """What a rank tells another.

    Attributes
    ----------
    status : int
        Whether all is well: see `Channel`.
    digest : int
        It stands for what the rank is doing. 64 bits.
    value : any
        An object that can be pickled.
    """

    status: int
    digest: int
    value: Any = None


class Mail:
    """Sends and receives messages over a communicator.

    Large arrays are received into the memory of earlier ones that nobody uses any more: memory that is new to the
    process costs more than the transport.
    """

    def __init__(self, comm: Any) -> None:
        self._comm = comm
        self._kept: list[Bytes] = []

    def send(self, message: Message, to: int) -> None:
        """Send a message to a rank."""
        first, rest = _packed(message)
        self._comm.Send(first, to)
        for blob in rest:
            for at in range(0, len(blob), _MOST_BYTES):
                self._comm.Send(blob[at : at + _MOST_BYTES], to)

    def receive(self, source: int) -> Message:
        """Receive a message from a rank."""
        first = np.empty(_FIRST, np.uint8)
        self._comm.Recv(first, source)
        return self._unpacked(first, lambda blob: self._comm.Recv(blob, source))

    def broadcast(self, message: Message | None) -> Message:
        """Give rank 0's message to all ranks. A small one goes down a binary tree at its own length."""
        rank, size = self._comm.rank, self._comm.size
        if message is not None and size == 1:
            return message
        step = rank & -rank if rank else 1 << (size - 1).bit_length()  # that of the rank's parent
        rest: list[Bytes] = []
        if message is None:
            first = np.empty(_FIRST, np.uint8)
            self._comm.Recv(first, rank - step)
        else:
            first, rest = _packed(message)
        length = _length(first)
        while step > 1:
            step >>= 1
            if rank + step < size:
                self._comm.Send(first[:length], rank + step)
        if message is None:
            return self._unpacked(first, lambda blob: self._comm.Bcast(blob, 0))
        for blob in rest:
            for at in range(0, len(blob), _MOST_BYTES):
                self._comm.Bcast(blob[at : at + _MOST_BYTES], 0)
        return message

    def _unpacked(self, first: Bytes, fill: Callable[[Bytes], Any]) -> Message:
        """Return the message of a first buffer. ``fill`` receives the others."""
        status, digest, n_blobs = _HEAD.unpack_from(first.data)
        sizes, at = _sizes(first), _HEAD.size + n_blobs * _SIZE
        blobs = []
        small = _is_small(sizes)
        for size in sizes.tolist():
            if small:
                blob, at = first[at : at + size].copy(), at + size
            else:
                blob = self._room(size)
                for start in range(0, size, _MOST_BYTES):
                    fill(blob[start : start + _MOST_BYTES])
            blobs.append(blob)
        return Message(status, digest, pickle.loads(blobs[0].data, buffers=blobs[1:]))

    def _room(self, size: int) -> Bytes:
        """Return memory that nobody uses."""
        if size < _LARGE:
            return np.empty(size, np.uint8)
        for blob in self._kept:
            if len(blob) == size and sys.getrefcount(blob) == _UNUSED:
                return blob
        self._kept = [*self._kept[1 - _MOST_KEPT :], np.empty(size, np.uint8)]
        return self._kept[-1]


def _packed(message: Message) -> tuple[Bytes, list[Bytes]]:
    """Return the buffers of a message: the first one, and those that do not fit into it."""
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(message.value, protocol=5, buffer_callback=buffers.append)
    if len(buffers) >= _MOST_BLOBS:
        text, buffers = pickle.dumps(message.value, protocol=5), []
    blobs = [np.asarray(each) for each in (memoryview(text), *(buffer.raw() for buffer in buffers))]
    sizes = np.array([len(blob) for blob in blobs], np.int64)
    head = np.frombuffer(_HEAD.pack(message.status, message.digest, len(blobs)), np.uint8)
    heads = [head, sizes.view(np.uint8)]
    if _is_small(sizes):
        return np.concatenate([*heads, *blobs]), []
    return np.concatenate(heads), blobs


def _sizes(first: Bytes) -> NDArray[np.int64]:
    n_blobs = _HEAD.unpack_from(first.data)[2]
    return np.frombuffer(first, np.int64, n_blobs, _HEAD.size)


def _is_small(sizes: NDArray[np.int64]) -> bool:
    """Return whether blobs fit into the first buffer."""
    return _HEAD.size + len(sizes) * _SIZE + int(sizes.sum()) <= _FIRST


def _length(first: Bytes) -> int:
    sizes = _sizes(first)
    return _HEAD.size + len(sizes) * _SIZE + (int(sizes.sum()) if _is_small(sizes) else 0)

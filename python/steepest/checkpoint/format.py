"""The bytes of a checkpoint: a header in JSON, raw arrays and a checksum.

========================  =============================================================================================
bytes                     contents
========================  =============================================================================================
0 to 15                   the magic
16 to 23, 24 to 31        the version of the format, and the length of the header: little-endian integers
32 to 32 + length - 1     the header, in UTF-8: an object with "size" (of the file), "fits", "values" and "arrays". For
                          each array it has the dtype as NumPy writes it, the shape, and the place of its first byte
...                       the arrays, in C order, each at a multiple of 64; zeros between them
the last 32               SHA-256 of all bytes before
========================  =============================================================================================
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["VERSION", "Contents", "DamagedError", "State", "bytes_of", "contents_of"]

State: TypeAlias = "dict[str, NDArray[Any] | int | float | str | bool | None]"

VERSION = 1
_MAGIC = b"steepest run\n\x00\r\n"
_START = 32  # of the header
_ALIGNED, _CHECKSUM = 64, 32
_KINDS = "biuf"  # of the dtypes of arrays
_PIECE, _SMALL = 1 << 24, 1 << 16  # bytes that are hashed and written at a time, at most and mostly at least


class DamagedError(ValueError):
    """A file that was a checkpoint, but is not whole."""


class Contents(NamedTuple):
    """What a checkpoint holds.

    Attributes
    ----------
    fits : dict of str to str
        What a run must be that may go on from it, by name.
    state : dict
        Numbers, texts and arrays, by name.
    """

    fits: dict[str, str]
    state: State


def bytes_of(contents: Contents) -> Iterator[memoryview]:
    """Yield the bytes of a checkpoint in pieces, of which only the last may be small."""
    checksum, small = hashlib.sha256(), bytearray()
    for part in _parts(contents):
        if len(part) < _SMALL and len(small) < _SMALL:
            small += part
            continue
        for piece in (memoryview(small), *(part[first : first + _PIECE] for first in range(0, len(part), _PIECE))):
            checksum.update(piece)
            yield piece
        small = bytearray()
    checksum.update(small)
    yield memoryview(small + checksum.digest())


def _parts(contents: Contents) -> Iterator[memoryview]:
    """Yield the header, the arrays, and the zeros between them."""
    arrays = {name: np.asarray(each) for name, each in contents.state.items() if isinstance(each, np.ndarray)}
    values = {name: each for name, each in contents.state.items() if name not in arrays}
    header, places, size = _header(contents.fits, values, arrays)
    start = _MAGIC + VERSION.to_bytes(8, "little") + len(header).to_bytes(8, "little") + header
    yield memoryview(start)
    at = len(start)
    for name, place in places.items():
        raw = _raw(arrays[name])
        yield memoryview(bytes(place - at))
        yield raw
        at = place + len(raw)
    yield memoryview(bytes(size - _CHECKSUM - at))


def _header(
    fits: Mapping[str, str], values: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]
) -> tuple[bytes, dict[str, int], int]:
    """Return the header, the places of the arrays, and the size of the file."""
    for name, array in arrays.items():
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"state must hold arrays of numbers, got {array.dtype} for {name}")
    length = 0
    while True:  # the places depend on the length of the header, which holds them
        places, at = {}, _next(_START + length)
        for name, array in arrays.items():
            places[name], at = at, _next(at + array.nbytes)
        size = at + _CHECKSUM
        table = {name: [array.dtype.str, array.shape, places[name]] for name, array in arrays.items()}
        header = {"size": size, "fits": dict(fits), "values": dict(values), "arrays": table}
        text = json.dumps(header, default=_plain).encode()
        if len(text) <= length:
            return text.ljust(length), places, size
        length = len(text) + _ALIGNED


def _plain(value: Any) -> Any:
    """Return a number of NumPy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"state must hold numbers, texts, None and arrays of numbers, got {type(value).__name__}")


def _next(place: int) -> int:
    return -(-place // _ALIGNED) * _ALIGNED


def _raw(array: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def contents_of(data: bytearray) -> Contents:
    """Return what the bytes of a checkpoint hold. The arrays share their memory.

    Raises
    ------
    DamagedError
        The bytes are not whole.
    ValueError
        They are of another kind of file, or of a newer version of the format. The message goes on from the file's name.
    """
    if not any(data[: len(_MAGIC)]):
        raise DamagedError(f"has {len(data):,} bytes without a header, where a checkpoint was expected")
    if not _MAGIC.startswith(bytes(data[: len(_MAGIC)])):
        raise ValueError(f"must be a checkpoint, which begins with {_MAGIC[:12]!r}, got {bytes(data[:12])!r}")
    if len(data) < _START:
        raise DamagedError(f"must have a header of {_START} bytes at least, got {len(data)} bytes")
    version, length = (int.from_bytes(data[at : at + 8], "little") for at in (16, 24))
    if version > VERSION:
        raise ValueError(f"must have format {VERSION} or older, got {version}: a newer version of steepest wrote it")
    if hashlib.sha256(memoryview(data)[:-_CHECKSUM]).digest() != data[-_CHECKSUM:]:
        raise DamagedError(f"must have the checksum that it ends with, got another one for its {len(data):,} bytes")
    try:
        header = json.loads(bytes(data[_START : _START + length]))
        arrays = {name: _array(data, *each) for name, each in header["arrays"].items()}
        return Contents(header["fits"], {**header["values"], **arrays})
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DamagedError(f"must have a header of format {VERSION}, got {error}") from None


def _array(data: bytearray, dtype: str, shape: list[int], place: int) -> NDArray[Any]:
    stored = np.dtype(dtype)
    if stored.kind not in _KINDS:
        raise ValueError(f"an array of dtype {dtype}")
    flat = np.frombuffer(data, stored, math.prod(shape), place)
    return flat.reshape(shape).astype(stored.newbyteorder("="), copy=False)

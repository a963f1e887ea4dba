"""The file of a cache: parts in binary form, with checksums of every byte.

    4,096 bytes     a mark, the version, the place and the checksum of the table, and the checksum of these bytes
    parts           the arrays of X, the targets and the weights, each from a multiple of 4,096 on, with zeros between
    table           JSON: the digest of the source, the facts of the stream and of its parts, and the places and
                    checksums of the arrays

The checksum of an array covers the zeros that follow it. It is compared when a process reads the part first, and again
once the file was written to. Later reads of an unchanged file are not compared, and run at the rate of the disk.
A file of more than half of the memory of the machine is read past the page cache (O_DIRECT), which could not hold it.
"""

from __future__ import annotations

import json
import os
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..arrays.sparse import CSRView
from .assembly import Rows
from .files import read_into

__all__ = ["SUFFIX", "TEMPORARY", "CacheFile", "CacheWriter", "DamagedError", "Region", "remove_abandoned"]

SUFFIX, TEMPORARY = ".steepest-parts", ".steepest-parts-tmp"
VERSION = 1
_MARK = b"steepest parts\r\n"  # a transfer as text would change it
_PAGE = 4096
_HEAD = struct.Struct("<16sIQQI")
_SUM = struct.Struct("<I")


Stamp: TypeAlias = tuple[int, int]  # bytes, and the nanoseconds of the last change


class DamagedError(Exception):
    """The file is not what was written."""


class Region(NamedTuple):
    """The place of an array in the file, its bytes with the zeros that follow, and their checksum."""

    offset: int
    n_bytes: int
    padded: int
    checksum: int


def arrays_of(rows: Rows) -> list[NDArray[Any]]:
    """Return the arrays of a part in the order in which the file has them."""
    X = rows.X
    arrays = [X.data, X.indices, X.indptr] if isinstance(X, CSRView) else [X]
    return [*arrays, rows.y, *([] if rows.weight is None else [rows.weight])]


def bytes_of(array: NDArray[Any]) -> memoryview:
    """Return the bytes of a contiguous array."""
    return array.reshape(-1).view(np.uint8).data


def try_lock(descriptor: int) -> bool:
    """Lock an open file, unless another process has locked it."""
    try:
        import fcntl
    except ImportError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files of processes that ended before their files were complete. A writer locks its own."""
    for path in folder.glob(f"*{TEMPORARY}"):
        try:
            with path.open("rb") as file:
                if try_lock(file.fileno()):
                    path.unlink()
        except OSError:  # another process was faster
            continue


class CacheWriter:
    """Writes the file at a path, under a temporary name until it is complete."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file, self._temporary = _temporary(path)
        self._end = _PAGE
        self.parts: list[list[Region]] = []

    def add(self, rows: Rows) -> None:
        """Write a part."""
        regions = []
        for array in arrays_of(rows):
            offset, n_bytes = self._end, array.nbytes
            padded = -(-n_bytes // _PAGE) * _PAGE
            view, zeros = bytes_of(array), bytes(padded - n_bytes)
            _write(self._file, view, offset)
            _write(self._file, memoryview(zeros), offset + n_bytes)
            regions.append(Region(offset, n_bytes, padded, zlib.crc32(zeros, zlib.crc32(view))))
            self._end += padded
        self.parts.append(regions)

    def recode(self, number: int, dtype: np.dtype[Any], moved: NDArray[np.intp]) -> None:
        """Replace the targets of all parts, which are codes, by other codes. `number` is that of the targets' array."""
        for regions in self.parts:
            region = regions[number]
            codes = np.empty(region.n_bytes // dtype.itemsize, dtype)
            read_into(self._file, bytes_of(codes), region.offset)
            codes = moved[codes.astype(np.intp)].astype(dtype)
            _write(self._file, bytes_of(codes), region.offset)
            total = zlib.crc32(bytes(region.padded - region.n_bytes), zlib.crc32(bytes_of(codes)))
            regions[number] = region._replace(checksum=total)

    def finish(self, table: dict[str, Any], keep: bool) -> CacheFile:
        """Write the table, and open the file once all of it has reached the disk.

        With `keep` the file gets its name. Without, no other process ever sees it.
        """
        text = json.dumps({**table, "parts": self.parts}).encode()
        _write(self._file, memoryview(text), self._end)
        head = _HEAD.pack(_MARK, VERSION, self._end, len(text), zlib.crc32(text)).ljust(_PAGE - _SUM.size, b"\0")
        _write(self._file, memoryview(head + _SUM.pack(zlib.crc32(head))), 0)
        os.fsync(self._file.fileno())
        opened = CacheFile(self._temporary)
        opened.path = self._path
        if keep:
            os.replace(self._temporary, self._path)
            _sync(self._path.parent)
        return opened

    def abandon(self) -> None:
        """Close the file, and remove it if it has a temporary name."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> tuple[BinaryIO, Path]:
    """Create and lock a file beside a path."""
    while True:
        descriptor, name = tempfile.mkstemp(TEMPORARY, f"{path.stem}-", path.parent)
        file = os.fdopen(descriptor, "r+b", buffering=0)
        try_lock(descriptor)
        if Path(name).exists():  # another process may have taken it for an abandoned one before it was locked
            return file, Path(name)
        file.close()


def _write(file: BinaryIO, view: memoryview, offset: int) -> None:
    done = 0
    while done < len(view):
        done += os.pwrite(file.fileno(), view[done : done + (1 << 26)], offset + done)


class CacheFile:
    """A file that `CacheWriter` wrote, open for reading.

    It stays readable when another process replaces or removes it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: BinaryIO = path.open("rb", buffering=0)
        try:
            self._stamp = self._now()
            self.table = self._read_table()
            self.parts = [[Region(*region) for region in regions] for regions in self.table.pop("parts")]
        except BaseException:
            self._file.close()
            raise
        self._verified: set[int] = set()
        self._direct = _open_direct(path, self._file) if self._stamp[0] > _memory_of_machine() / 2 else None

    def _now(self) -> Stamp:
        found = os.fstat(self._file.fileno())
        return found.st_size, found.st_mtime_ns

    def _read_table(self) -> dict[str, Any]:
        head = self._read(0, _PAGE)
        mark, version, offset, length, checksum = _HEAD.unpack_from(head)
        if mark != _MARK or zlib.crc32(head[: -_SUM.size]) != _SUM.unpack(head[-_SUM.size :])[0]:
            raise DamagedError("its first bytes")
        if version != VERSION:
            return {"version": version, "parts": []}
        if offset + length != self._stamp[0]:
            raise DamagedError(f"it should have {offset + length:,} bytes, and has {self._stamp[0]:,}")
        text = self._read(offset, length)
        if zlib.crc32(text) != checksum:
            raise DamagedError("its table")
        found: dict[str, Any] = json.loads(text)
        return found

    def _read(self, offset: int, length: int) -> bytes:
        found = bytearray(length)
        self._fill(memoryview(found), offset)
        return bytes(found)

    def _fill(self, view: memoryview, offset: int, go_on: Callable[[], None] | None = None) -> None:
        try:
            n = read_into(self._file, view, offset, go_on)
        except OSError as error:
            raise DamagedError(str(error)) from error
        if n != len(view):
            raise DamagedError("it ends too soon")

    def _fill_large(self, view: memoryview, address: int, offset: int, go_on: Callable[[], None]) -> None:
        """Fill a buffer past the page cache, as far as it is aligned."""
        whole = len(view) // _PAGE * _PAGE if address % _PAGE == 0 and self._direct is not None else 0
        if whole and self._direct is not None:
            try:
                whole = read_into(self._direct, view[:whole], offset, go_on)
            except OSError:  # a file system that wants a larger alignment
                self._direct, whole = None, 0
        self._fill(view[whole:], offset + whole, go_on)

    def read(self, index: int, arrays: list[NDArray[Any]], go_on: Callable[[], None]) -> None:
        """Fill arrays with those of a part. The first time, all checksums are compared.

        `go_on` is called now and then, and may raise an error.

        Raises
        ------
        DamagedError
            The file is not what was written.
        """
        now = self._now()
        if now != self._stamp:  # someone wrote to it
            self._verified.clear()
            self._stamp = now
        known = index in self._verified
        for region, array in zip(self.parts[index], arrays, strict=True):
            view = bytes_of(array)
            self._fill_large(view, array.ctypes.data, region.offset, go_on)
            if not known:
                rest = self._read(region.offset + region.n_bytes, region.padded - region.n_bytes)
                if zlib.crc32(rest, zlib.crc32(view)) != region.checksum:
                    raise DamagedError(f"part {index}")
        if not known:
            self._verified.add(index)

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self._file.fileno()

    def known(self, index: int) -> Stamp | None:
        """Return the file's size and time if it has them since the checksums of a part were compared, else None.

        None too where the page cache cannot hold the file.
        """
        stamp = self._stamp
        is_known = self._direct is None and index in self._verified and self._now() == stamp
        return stamp if is_known and self._stamp == stamp else None

    def read_rest(self, index: int, arrays: list[NDArray[Any]]) -> int:
        """Fill all arrays of a part but the first, and return the place of the first."""
        first, *rest = self.parts[index]
        for region, array in zip(rest, arrays, strict=True):
            self._fill(bytes_of(array), region.offset)
        return first.offset

    def check(self, stamp: Stamp) -> None:
        """Raise an OSError if someone wrote to the file since it had a size and a time."""
        if self._now() != stamp:
            raise OSError(f"{self.path} was written to")

    def __del__(self) -> None:
        for file in (getattr(self, "_file", None), getattr(self, "_direct", None)):
            if file is not None:
                file.close()


def _open_direct(path: Path, opened: BinaryIO) -> BinaryIO | None:
    """Open a file again, for reads past the page cache; None where the system has no such reads."""
    if not (hasattr(os, "O_DIRECT") and hasattr(os, "preadv")):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECT)
    except OSError:
        return None
    file: BinaryIO = os.fdopen(descriptor, "rb", buffering=0)
    if os.path.samestat(os.fstat(descriptor), os.fstat(opened.fileno())):
        return file
    file.close()  # another process has just replaced it
    return None


def _memory_of_machine() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, OSError, ValueError):
        return float("inf")

"""The files of a source: which they are, and whether one of them changed since the stream was opened."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

__all__ = ["KINDS", "DataError", "FileState", "files_of", "is_path", "kind_of", "read_into"]

_COMPRESSED = ("", ".gz", ".bz2", ".xz")
KINDS = {
    **dict.fromkeys((".parquet", ".pq"), "Parquet"),
    **{f"{suffix}{end}": "CSV" for suffix in (".csv", ".tsv") for end in _COMPRESSED},
    ".npy": "npy",
    **{f"{suffix}{end}": "svmlight" for suffix in (".svmlight", ".libsvm", ".svm") for end in _COMPRESSED},
}
_REFUSALS = (OSError, ValueError, SyntaxError, TokenError)  # the last two of a .npy header that is no literal of Python
_STEP = 1 << 24  # a read of that many bytes, so that a thread that reads can be stopped soon


class DataError(ValueError):
    """The rows of a source cannot be used. The message names the file and the row."""


def is_path(value: Any) -> bool:
    """Return whether a value is the path of a file."""
    return isinstance(value, str | os.PathLike)


def kind_of(path: Path) -> str | None:
    """Return the kind of a file by its suffix."""
    return next((kind for suffix, kind in KINDS.items() if path.name.lower().endswith(suffix)), None)


@dataclass(frozen=True)
class FileState:
    """A file as it was when the stream was opened."""

    path: Path
    size: int
    modified: int  # nanoseconds
    inode: int
    device: int

    @classmethod
    def of(cls, path: Path) -> FileState:
        """Return the present state of a file."""
        return cls._of(path, os.stat(path))

    @classmethod
    def _of(cls, path: Path, found: os.stat_result) -> FileState:
        return cls(path, found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)

    def check(self) -> None:
        """Check that the file is as it was.

        Raises
        ------
        OSError
            It is not. A FileNotFoundError if it is gone.
        """
        try:
            self._compare(os.stat(self.path))
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.path} vanished while the stream was in use") from None

    def _compare(self, found: os.stat_result) -> None:
        now = self._of(self.path, found)
        if now == self:
            return
        what = f"it had {self.size} bytes and has {now.size}" if now.size != self.size else "it was written again"
        raise OSError(f"{self.path} changed while the stream was in use: {what}; open the stream again")

    def open(self) -> BinaryIO:
        """Open the file, and check that it is the one that the state is of."""
        self.check()
        file = self.path.open("rb", buffering=0)
        try:
            self._compare(os.fstat(file.fileno()))
        except BaseException:
            file.close()
            raise
        return file

    @contextmanager
    def reading(self, kind: str, refusals: tuple[type[Exception], ...] = _REFUSALS) -> Iterator[None]:
        """Turn the errors of a reader into ones that name the file, and check afterwards that it did not change."""
        try:
            yield
        except DataError:
            self.check()
            raise
        except refusals as error:
            self.check()
            reason = " ".join(str(error).split()) or type(error).__name__
            raise DataError(f"{self.path} cannot be read as {kind}: {reason}") from error
        self.check()


def read_into(file: BinaryIO, view: memoryview, offset: int, go_on: Callable[[], None] | None = None) -> int:
    """Fill a buffer with the bytes of a file from an offset. Return the number of bytes read.

    It is less than asked for only where the file ends. `go_on` is called now and then, and may raise an error.
    """
    done = 0
    while done < len(view):
        if go_on is not None:
            go_on()
        wanted = view[done : done + _STEP]
        if hasattr(os, "preadv"):
            n = os.preadv(file.fileno(), [wanted], offset + done)
        else:
            data = os.pread(file.fileno(), len(wanted), offset + done)
            n, wanted[: len(data)] = len(data), data
        if n == 0:
            return done
        done += n
    return done


def files_of(source: Any) -> tuple[str, list[Path]]:
    """Return the kind of the files of a source, and the files in order.

    Parameters
    ----------
    source : path or sequence of paths
        A file, a folder, a pattern of `glob`, or several of them.
    """
    paths = [path for each in ([source] if is_path(source) else source) for path in _expanded(Path(each))]
    if not paths:
        raise ValueError(f"source must name at least one file, got {source!r}")
    kinds: dict[str, Path] = {}
    for path in paths:
        kind = kind_of(path)
        if kind is None:
            raise ValueError(f"{path} is of an unknown kind; expected one of {', '.join(KINDS)}")
        kinds.setdefault(kind, path)
    if len(kinds) > 1:
        (one, first), (other, second) = list(kinds.items())[:2]
        raise ValueError(f"all files must be of one kind, got {first} ({one}) and {second} ({other})")
    return next(iter(kinds)), paths


def _expanded(path: Path) -> Iterable[Path]:
    if path.is_dir():
        return _in_folder(path)
    if path.exists():
        return [path]
    if glob.has_magic(str(path)):
        found = sorted(glob.glob(str(path), recursive=True))
        if not found:
            raise FileNotFoundError(f"{path}: no file matches")
        return [inner for each in found for inner in _expanded(Path(each))]
    raise FileNotFoundError(f"{path}: no such file")


def _in_folder(folder: Path) -> list[Path]:
    """Return the files of a folder by name; those whose names begin with a dot or an underscore are left out."""
    found = sorted(path for path in folder.iterdir() if path.name[0] not in "._")
    inner = next((path for path in found if path.is_dir()), None)
    if inner is not None:
        pattern = folder / "**" / "*.parquet"
        raise ValueError(f"{folder} has folders in it, such as {inner.name}; name the files, such as '{pattern}'")
    if not found:
        raise FileNotFoundError(f"{folder} has no files in it")
    return found

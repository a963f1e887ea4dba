"""The file of a checkpoint, as a database would write it: all calls of the operating system are here.

A new generation is written to a temporary file in the same folder, which reaches the disk before it is renamed. The
generation before is kept under another name. So there is a whole checkpoint at every instant.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any

from ..arrays.checks import describe
from ..warnings import CheckpointWarning, levels_outside
from .format import Contents, DamagedError, bytes_of, contents_of

__all__ = ["CheckpointFile"]

_PREVIOUS, _NEW = ".previous", ".new"  # what is added to the name
_BINARY = getattr(os, "O_BINARY", 0)  # of Windows


class CheckpointFile:
    """The newest checkpoint of a run, and the one before it.

    Parameters
    ----------
    path : str or PathLike
        Where the newest one is. Two files beside it have the same name with ".previous" and, while one is written,
        ".new".

    Raises
    ------
    TypeError
        The path is neither a str nor a PathLike.
    ValueError
        The path is a folder, or its folder does not exist or may not be written to.
    """

    def __init__(self, path: Any) -> None:
        if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str) or not os.fspath(path):
            raise TypeError(f"checkpoint must be the path of a file, got {describe(path)}")
        self.path = Path(os.path.realpath(path))  # a link stays a link
        folder = self.path.parent
        if self.path.is_dir():
            raise ValueError(f"checkpoint must be the path of a file, got the folder {str(path)!r}")
        if not (folder.is_dir() and os.access(folder, os.W_OK)):
            raise ValueError(f"checkpoint must be in a folder that exists and may be written to, got {str(path)!r}")
        self._folder = folder
        self._previous, self._new = (self.path.with_name(self.path.name + end) for end in (_PREVIOUS, _NEW))
        self._is_whole = False  # the newest one
        self._seen: tuple[int, ...] | None = None  # which file that was, when it was read or written

    def load(self) -> Contents | None:
        """Return the contents of the newest checkpoint that is whole; None if there is none of any kind.

        If the newest one is damaged or missing, the one before is returned, with a `CheckpointWarning`.

        Raises
        ------
        ValueError
            A file is no checkpoint, or of a newer version, or all that there are are damaged. Nothing is changed.
        """
        self._seen = _identity(self.path)
        if self._seen is None:
            if _identity(self._previous) is None:
                return None
            damage = f"{str(self.path)!r} is missing, though a checkpoint was written before it"
        else:
            try:
                found = _read(self.path)
                self._is_whole = True
                return found
            except DamagedError as error:
                damage = f"{str(self.path)!r} is damaged: it {error}"
        if _identity(self._previous) is None:
            raise ValueError(f"checkpoint {damage}. There is no earlier one. Remove the file to start again")
        try:
            found = _read(self._previous)
        except DamagedError as error:
            raise ValueError(
                f"checkpoint {damage}. The one before, {str(self._previous)!r}, {error}. Remove both to start again"
            ) from None
        text = f"checkpoint {damage}. The run goes on from the one before, {str(self._previous)!r}"
        warnings.warn(text, CheckpointWarning, stacklevel=levels_outside())
        return found

    def save(self, contents: Contents) -> None:
        """Write a new generation.

        Raises
        ------
        OSError
            The disk is full, or something else failed. The newest checkpoint is then still whole.
        ValueError
            Something else has written to the file since it was read or written here. It is not overwritten.
        """
        if _identity(self.path) != self._seen:
            raise ValueError(
                f"checkpoint {str(self.path)!r} must change by this run alone, got a file that another one has written"
            )
        try:
            self._write_new(contents)
            if self._is_whole:
                self._keep_previous()
            os.replace(self._new, self.path)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(self._new)
            self._seen = _identity(self.path)
            self._is_whole = self._is_whole and self._seen is not None
            raise
        self._is_whole, self._seen = True, _identity(self.path)
        self._sync_folder()

    def _write_new(self, contents: Contents) -> None:
        file = os.open(self._new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | _BINARY, 0o666)
        try:
            for piece in bytes_of(contents):
                while len(piece):
                    piece = piece[os.write(file, piece) :]
            os.fsync(file)
        finally:
            os.close(file)

    def _keep_previous(self) -> None:
        """Give the newest checkpoint the name of the one before. It also keeps its own, if there are hard links."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._previous)
        try:
            os.link(self.path, self._previous)
        except (OSError, AttributeError, NotImplementedError):
            os.replace(self.path, self._previous)

    def _sync_folder(self) -> None:
        if os.name == "nt":  # which has no files of folders
            return
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _identity(path: Path) -> tuple[int, ...] | None:
    """Return what tells a file from another one of the same name; None if there is none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> Contents:
    """Return the contents of a file. Errors but of damage name it."""
    data = bytearray(path.read_bytes())
    try:
        return contents_of(data)
    except DamagedError:
        raise
    except ValueError as error:
        raise ValueError(f"checkpoint {str(path)!r} {error}. Nothing was changed") from None

"""Atomic saving: a file is written as a whole or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # a system without these file locks; temporary files of killed processes stay there
    fcntl = None  # type: ignore[assignment]

_STALE_SECONDS = 3600


@contextlib.contextmanager
def saving(path: str | Path) -> Iterator[BinaryIO]:
    """Open a binary file for writing, which replaces `path` when the block ends without an error.

    Until then the content goes to a temporary file in the same folder. A full disk, an error or a killed process
    therefore leaves the old file unchanged. An error removes the temporary file. A killed process leaves it behind;
    a save in the same folder removes it after an hour or more.

    The new file has the permissions of the old one. A link stays a link, and the file that it names is replaced. A pipe
    or a device has no old content, so it is written directly.

    Raises
    ------
    OSError
        The file cannot be written. The message names it.
    """
    target = Path(os.path.realpath(path))
    with _naming(path):
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                yield file
            return
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(13, "it is read-only", str(path))
        temporary = target.with_name(f".steepest-{secrets.token_hex(8)}.tmp")
        try:
            with temporary.open("xb") as file:
                _lock(file.fileno())
                yield file
                file.flush()
                os.fsync(file.fileno())
            if target.exists():
                temporary.chmod(stat.S_IMODE(target.stat().st_mode))
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
        _remove_stale(target.parent)


def _lock(descriptor: int) -> bool:
    """Lock a file and return whether that worked. The system frees the lock when the process ends in any way."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # another process holds it, or the file system has no locks
        return False
    return True


def _remove_stale(folder: Path) -> None:
    """Remove the temporary files of killed processes: old ones that no process holds."""
    for path in folder.glob(".steepest-" + "[0-9a-f]" * 16 + ".tmp"):
        with contextlib.suppress(OSError):
            if not path.is_symlink() and path.is_file() and time.time() - path.stat().st_mtime > _STALE_SECONDS:
                with path.open("rb") as file:
                    if _lock(file.fileno()):
                        path.unlink()


@contextlib.contextmanager
def _naming(path: str | Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise OSError(f"{path} cannot be written: {error}") from error
        raise OSError(error.errno, error.strerror, str(path)) from error


def _sync_folder(folder: Path) -> None:
    # With this the new name survives a power cut. Some systems cannot open a folder; the file is whole even so.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

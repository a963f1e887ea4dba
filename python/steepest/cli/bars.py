"""Progress bars on stderr."""

from __future__ import annotations

import shutil
from typing import Any

from ..extras import require

__all__ = ["PassBar", "RowBar"]


def _bar(**options: Any) -> Any:
    columns, lines = shutil.get_terminal_size()  # tqdm shows nothing on a terminal that hides its size
    return require("tqdm", "cli").tqdm(leave=False, ncols=columns, nrows=lines, **options)


class PassBar:
    """A progress bar that shows the loss after every pass."""

    def __init__(self) -> None:
        self._bar = _bar(unit=" passes")

    def __call__(self, progress: Any) -> bool:
        self._bar.update(progress.epoch - self._bar.n)
        self._bar.set_postfix_str(f"loss {progress.loss:.6g}")
        return False

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()


class RowBar:
    """A progress bar of the rows of each reading of a table in parts: the rate, the time left, and the loss.

    Parameters
    ----------
    rows : int or None
        The rows of the table; None if only the first reading will tell.
    what : str
        What the first reading is.
    """

    def __init__(self, rows: int | None, what: str = "opening") -> None:
        self._bar, self._readings = _bar(total=rows, unit=" rows", unit_scale=True, desc=what), 0

    def read(self, rows: int) -> None:
        """Count rows that were read. The next reading begins once all rows were."""
        if self._bar.total is not None and self._bar.n >= self._bar.total:
            self._readings += 1
            self._bar.reset()
            self._bar.set_description(f"reading {self._readings}", refresh=False)
        self._bar.update(rows)

    def opened(self, rows: int) -> None:
        """Take the number of rows, which the first reading has found, and make room for text."""
        self._bar.total = rows
        self._bar.clear()

    def __call__(self, progress: Any) -> bool:
        """Show the loss after a pass of the fit."""
        self._bar.set_postfix_str(f"pass {progress.epoch}, loss {progress.loss:.6g}", refresh=False)
        return False

    def close(self) -> None:
        """Remove the bar."""
        self._bar.close()

"""A hint for a keyword argument that has the name from another library."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["hinting"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def hinting(**hints: str) -> Callable[[_Function], _Function]:
    """Return a decorator that refuses an unknown keyword argument and says what to write instead.

    The function's signature does not change. `hints` map an unknown name to the text to write. For any other unknown
    name, the parameter with the most similar name is suggested, if one is similar.

    Examples
    --------
    >>> from steepest.arrays.hints import hinting
    >>> @hinting(epochs="max_epochs=...")
    ... def run(max_epochs=1):
    ...     return max_epochs
    >>> run(epochs=3)
    Traceback (most recent call last):
    TypeError: run() got an unexpected keyword argument 'epochs'; use max_epochs=...
    """

    def decorate(function: _Function) -> _Function:
        known = inspect.signature(function).parameters

        @functools.wraps(function)
        def checked(*arguments: Any, **options: Any) -> Any:
            for name in options:
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    hint = hints.get(name) or (f"{near[0]}=..." if near else "")
                    message = f"{function.__name__}() got an unexpected keyword argument {name!r}"
                    raise TypeError(f"{message}; use {hint}" if hint else message)
            return function(*arguments, **options)

        return checked  # type: ignore[return-value]

    return decorate

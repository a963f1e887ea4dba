"""Optional packages, imported when they are first needed."""

from __future__ import annotations

import importlib
from typing import Any


class MissingExtraError(ImportError):
    """An optional package is not installed; an extra of steepest brings it."""


def require(module: str, extra: str) -> Any:
    """Import an optional module.

    Parameters
    ----------
    module : str
        Full name of the module, such as ``"matplotlib.ticker"``.
    extra : str
        The extra of steepest that brings the package of the module.

    Returns
    -------
    module

    Raises
    ------
    MissingExtraError
        The package is not installed. The message says what to install.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise MissingExtraError(f'{package} is not installed: pip install "steepest[{extra}]"') from None

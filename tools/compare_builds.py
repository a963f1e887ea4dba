"""Compares two builds of steepest: digests of results, and paired timings.

    PYTHONPATH=old/python python tools/compare_builds.py digests old.json --arrays
    PYTHONPATH=new/python python tools/compare_builds.py digests new.json --arrays
    python tools/compare_builds.py compare old.json new.json
    python tools/compare_builds.py timings --before old/python --after new/python

A digest is of a result's bytes. The cases are losses with all storages, orders and options, rules, runs, estimators and
analyses, at every ISA level that the machine has. Compare tables made on one machine, with one NumPy. `timings`
takes folders for PYTHONPATH, or Python executables of two environments.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparison import levels, timings
from comparison.tables import Table, differences

SHOWN = 60  # differences printed, unless all are asked for


def digests(options: argparse.Namespace) -> int:
    """Write a table; with several numbers of threads, also say whether they give the same."""
    numbers = options.threads or [2]
    first = levels.table_of(options, numbers[0])
    first.write(options.out)
    print(f"{len(first.cases)} cases in {options.out}", flush=True)
    code = 0
    for number in numbers[1:]:
        other = levels.table_of(options, number)
        print(f"{numbers[0]} threads against {number}:")
        code |= report(first, other, options)
    return code


def compare(options: argparse.Namespace) -> int:
    """Print how two tables differ; 1 where they do."""
    return report(Table.read(options.before), Table.read(options.after), options)


def report(before: Table, after: Table, options: argparse.Namespace) -> int:
    """Print the differences, those of the largest distances first, and return the exit code."""
    found = differences(before, after)
    for each in sorted(found, key=lambda difference: (difference.kind, -difference.ulp_of_largest)):
        if options.all or each in found[:SHOWN]:
            print(each)
    kinds = [each.kind for each in found]
    counts = ", ".join(f"{kinds.count(kind)} {word}" for kind, word in WORDS.items())
    print(f"{len(before.cases)} cases before, {len(after.cases)} after: {counts}")
    return 1 if found else 0


WORDS = {"differs": "differ", "gone": "are gone", "added": "were added"}


def part(options: argparse.Namespace) -> int:
    """Compute one part of the cases in this process; `digests` starts these."""
    levels.compute(options)
    return 0


def time_both(options: argparse.Namespace) -> int:
    """Time both builds in turn and print a table of ratios."""
    groups = timings.selected(timings.group_names(options), options.only)
    if not groups:
        print(f"--only {options.only} matches no group of shapes", file=sys.stderr)
        return 2
    ratios = timings.table(options, groups)
    if options.json is not None:
        options.json.write_text(json.dumps(ratios, indent=1) + "\n")
    return 0


def serve(options: argparse.Namespace) -> int:
    """Time calls of one group that are asked for on stdin; `timings` starts these."""
    timings.serve(options)
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    result = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = result.add_subparsers(required=True, metavar="COMMAND")

    table = commands.add_parser("digests", help="compute a table of digests with the steepest that is imported here")
    table.add_argument("out", type=Path, help="the JSON file to write")
    table.add_argument("--threads", type=int, action="append", metavar="N", help="2; repeatable: compares them")
    table.add_argument("--levels", nargs="+", metavar="LEVEL", help="ISA levels; by default all that this machine has")
    table.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    table.set_defaults(call=digests, all=False)

    one = commands.add_parser("part", help="one part of a table, at the level of STEEPEST_ISA")
    one.add_argument("part", choices=[*levels.PARTS, levels.DEVICE])
    one.add_argument("out", type=Path)
    one.set_defaults(call=part)
    for each in (table, one):
        each.add_argument("--quick", action="store_true", help="a few small cases")
        each.add_argument("--only", action="append", metavar="PATTERN", help="cases whose names match")
        each.add_argument("--arrays", action="store_true", help="keep the results too, in an .npz beside the table")
        each.add_argument("--emulated", type=Path, metavar="FOLDER", help="of the emulated CUDA module: adds its cases")

    both = commands.add_parser("compare", help="list what differs between two tables; exit code 1 if anything does")
    both.add_argument("before", type=Path)
    both.add_argument("after", type=Path)
    both.add_argument("--all", action="store_true", help=f"print all differences, not {SHOWN}")
    both.set_defaults(call=compare)
    _add_timings(commands)
    return result


def _add_timings(commands: Any) -> None:
    paired = commands.add_parser("timings", help="time two builds in turn and print the ratios, after over before")
    for name in ("--before", "--after"):
        paired.add_argument(name, required=True, metavar="BUILD", help="folder for PYTHONPATH, or a Python executable")
    paired.add_argument("--rounds", type=int, default=5, help="processes of each build for a group of shapes")
    paired.add_argument("--turns", type=int, default=5, help="turns A B B A in a round")
    paired.add_argument("--only", action="append", metavar="PATTERN", help="groups whose names match")
    paired.add_argument("--json", type=Path, metavar="OUT", help="also write the ratios of the rounds to this file")
    paired.set_defaults(call=time_both)
    process = commands.add_parser("serve", help="time calls of one group that are asked for on stdin")
    process.add_argument("group", nargs="?", help="none: print the names of the groups")
    process.set_defaults(call=serve)
    for each in (paired, process):
        sizes: dict[str, Any] = {"choices": ["quick", "usual", "full"], "default": "usual"}
        each.add_argument("--size", **sizes, help="of the data; full: up to 2 GB an array")
        each.add_argument("--seconds", type=float, default=0.005, help="time that a sample takes at least")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    options = parser().parse_args(arguments)
    return int(options.call(options))


if __name__ == "__main__":
    sys.exit(main())

"""The command `steepest`: `python -m steepest` is the same."""

from __future__ import annotations

import sys

from .extras import MissingExtraError, require


def main() -> None:
    """Run the command line; its packages come with the extra `cli`."""
    try:
        require("click", "cli")
        from .cli.commands import steepest
    except MissingExtraError as error:
        print(f"steepest: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:  # the imports take a good part of a second
        print("steepest: interrupted", file=sys.stderr)
        sys.exit(130)

    steepest.main(prog_name="steepest")


if __name__ == "__main__":
    main()

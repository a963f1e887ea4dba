"""The directive `commands`: the help of every command of the command line, as it prints it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

_WIDTH = 90  # of a line of help, in characters


def helps() -> dict[str, str]:
    """Return the help of each command, by what to type."""
    import click

    from steepest.cli.commands import steepest

    widths = {"max_content_width": _WIDTH, "terminal_width": _WIDTH}
    context = click.Context(steepest, info_name="steepest", **widths, **steepest.context_settings)
    found = {"steepest": steepest.get_help(context)}
    for name in steepest.list_commands(context):
        command = steepest.get_command(context, name)
        assert command is not None
        inner = click.Context(command, info_name=name, parent=context, **widths, **command.context_settings)
        found[f"steepest {name}"] = command.get_help(inner)
    return found


class Commands(Directive):
    """A section for each command."""

    def run(self) -> list[nodes.Node]:
        """Return the sections."""
        sections: list[nodes.Node] = []
        for typed, text in helps().items():
            section = nodes.section(ids=[nodes.make_id(typed)], names=[typed])
            section += nodes.title(text=typed)
            section += nodes.literal_block(text=text, language="none")
            self.state.document.note_implicit_target(section)
            sections.append(section)
        return sections


def setup(app: Any) -> dict[str, Any]:
    """Add the directive to Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True}

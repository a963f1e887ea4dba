"""Headers of CSV files: repeated names and other separators are named."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from command_line import complaint, run
from steepest.cli.readers import load_table
from steepest.cli.tables import TableError

ROWS = [[str(i), str(i * i % 7), str(3 * i)] for i in range(40)]
LINEAR = ("--target", "y", "--loss", "least-squares")


def text(separator: str, header: str = "a b y", comma: bool = False) -> str:
    lines = [separator.join(line) for line in [header.split(), *ROWS]]
    return "\n".join([lines[0], *[line.replace("1", "1,") if comma else line for line in lines[1:]]]) + "\n"


@pytest.mark.parametrize("comma", [False, True])
@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\\t", "tabs"), ("|", "vertical bars")])
def test_other_separators_than_commas_are_named(tmp_path: Path, separator: str, name: str, comma: bool) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text(separator.replace("\\t", "\t"), comma=comma))
    message = complaint(run("fit", path, *LINEAR))
    assert message == f"{path} separates its fields by {name}: add --sep '{separator}'"
    if not comma:
        assert run("fit", path, *LINEAR, "--sep", separator).exit_code == 0


def test_a_compressed_file_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text(";").encode()))
    with pytest.raises(TableError, match="semicolons"):
        load_table(tmp_path / "a.csv.gz")


@pytest.mark.parametrize(("header", "name"), [("a a y", "a"), ("a y y", "y"), ('"a" a y', "a")])
def test_a_repeated_name_is_an_error(tmp_path: Path, header: str, name: str) -> None:
    # The reader would call the second "y" another column: the target would be one of its own features.
    (tmp_path / "a.csv").write_text(text(",", header))
    assert f"a.csv has two columns named '{name}': rename one" in complaint(run("fit", tmp_path / "a.csv", *LINEAR))


@pytest.mark.parametrize(
    "content",
    [
        "a,b;c\n1,x;y\n2,z;w\n",
        "only\n1\n2\n",
        "a;b\n1;2\n3\n",
        '"a\nb",c\n1,2\n',
        "a\x01b,c\n1,2\n3\x01,4\n",
        "\n\na,b\n1,2\n",
        "\ufeffa,b\n1,2\n",
        "a,,\n1,2,3\n",
    ],
)
def test_other_headers_are_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.csv").write_text(content)
    assert len(load_table(tmp_path / "a.csv").frame) >= 1

"""What CONTRIBUTING and the recipes name exists: files, commands, tasks."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "docs" / "recipes").glob("*.md"))
PAGES = [ROOT / "CONTRIBUTING.md", *RECIPES]
TOP = {path.name for path in ROOT.iterdir() if path.name != ".venv"}
FILE = re.compile(r"[\w.-]+\.(py|md|toml|yaml|yml|html|js|css|po|lock|geojson|json)")


def spans(document: Path) -> Iterator[str]:
    """Everything in backticks, and the lines of shell blocks."""
    text = document.read_text(encoding="utf-8")
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL):
        yield from block.strip().splitlines()
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def words(document: Path) -> Iterator[str]:
    """The words of `spans`, without comments."""
    for span in spans(document):
        try:
            yield from shlex.split(span, comments=True)
        except ValueError:  # an apostrophe: prose or code, not a command
            yield from span.split()


def is_path(word: str) -> bool:
    """Whether a word names a file or folder of ours."""
    word = word.rstrip("/")
    return "//" not in word and (
        word.split("/")[0] in TOP if "/" in word else word in TOP and bool(FILE.fullmatch(word))
    )


def exists(word: str) -> bool:
    """Whether the path exists; `<feature>` and `*` stand for any name."""
    pattern = re.sub(r"<\w+>", "*", word.rstrip("/"))
    return any(True for _ in ROOT.glob(pattern))


def commands(document: Path) -> Iterator[list[str]]:
    """The commands that the document names, as their words."""
    for span in spans(document):
        if re.match(r"(bin/|\.venv/bin/|just\b|python -m|HYPOTHESIS_PROFILE=)", span):
            found = shlex.split(span, comments=True)
            while "=" in found[0]:
                found = found[1:]
            yield found


def tasks() -> set[str]:
    """The tasks of the justfile."""
    return set(re.findall(r"^([a-z]\w*)[^\n:=]*:(?!=)", (ROOT / "justfile").read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.stem)
def test_the_files_named_exist(document: Path) -> None:
    named = {word for word in words(document) if is_path(word)}
    assert named
    missing = sorted(word for word in named if not exists(word))
    # Rooms that are furnished later are named by a placeholder alone.
    assert not [word for word in missing if "<" not in word]


@pytest.mark.parametrize("document", PAGES, ids=lambda path: path.stem)
def test_the_commands_named_exist(document: Path) -> None:
    reference = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    setup = (ROOT / "bin" / "setup").read_text(encoding="utf-8")
    for program, *arguments in commands(document):
        if program == "just":
            assert not arguments or arguments[0] in tasks(), arguments
        elif program.startswith(".venv/bin/"):
            assert (Path(sys.executable).parent / Path(program).name).exists(), program
        elif program.startswith("bin/"):
            assert os.access(ROOT / program, os.X_OK), program
        if program == "bin/cuakhau" and arguments:
            name = " ".join(re.findall(r"^(?:[a-z][a-z-]* ?)+", " ".join(arguments))).strip()
            assert f"cuakhau {name}" in reference, name
        if program == "bin/setup" and arguments and "|" not in arguments[0]:
            assert f"bin/setup {arguments[0]} " in setup, arguments


def test_every_recipe_is_in_the_index_and_has_its_four_parts() -> None:
    index = (ROOT / "docs" / "recipes" / "README.md").read_text(encoding="utf-8")
    for document in RECIPES:
        if document.name == "README.md":
            continue
        text = document.read_text(encoding="utf-8")
        assert f"({document.name})" in index, document.name
        for part in ("# ", "**Goal.**", "## Files", "## Steps", "## Test"):
            assert part in text, f"{document.name} lacks {part}"


def test_the_task_file_can_be_read() -> None:
    listed = subprocess.run(
        [Path(sys.executable).with_name("just"), "--justfile", ROOT / "justfile", "--summary"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(listed.stdout.split()) == tasks() - {"_default"}


def test_the_hooks_can_be_read() -> None:
    config = ROOT / ".pre-commit-config.yaml"
    subprocess.run([Path(sys.executable).with_name("pre-commit"), "validate-config", config], check=True)
    assert "http" not in config.read_text(encoding="utf-8"), "hooks are local: nothing is fetched"
    for program in re.findall(r"\.venv/bin/([\w-]+)", config.read_text(encoding="utf-8")):
        assert (Path(sys.executable).parent / program).exists(), program

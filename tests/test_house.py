"""The rules of the house that a machine can check: size of files, formatting, types of rows, names.

Limits that are not reached yet stand at today's number and may only fall: lower them with each step, never raise them.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import jinja2
import jinja2.nodes
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("app", "geo", "ingest", "routing", "capacity", "maps")
MAX_LINES = 450
SUFFIXES = {".py", ".js", ".html", ".css"}
NOT_OURS = {".venv", "node_modules", "var", ".git", "data", "migrations"}
"""Folders of other people's files, of data (and the scripts that make it), and of migrations, which never change."""

MAX_LONG_FILES = 0
MAX_UNTYPED_DICTS = 4  # `dict[str, Any]`, 400 before the house was put in order
MAX_UNTYPED_ROWS = 2  # `row: Any`, `Row[Any]`, stores that return `Any`, 129 before
MAX_FORBIDDEN_MODULES = 0
MAX_FORBIDDEN_NAMES = 0
MAX_FORBIDDEN_PHRASES = 0
MAX_FORBIDDEN_VARIABLES = 0

FORBIDDEN_MODULES = {"utils", "util", "helpers", "common", "manager", "managers", "misc", "parts", "words"}
FORBIDDEN_NAME = re.compile(r"\b_?(?:MOST|LONGEST|LARGEST|SHORTEST|SMALLEST|BIGGEST|FEWEST|NARROWEST|HIGHEST)_[A-Z_]+")
FORBIDDEN_VARIABLES = {"one"}
FORBIDDEN_PHRASE = re.compile(r"\b(is none of these|meanwhile|anew)\b", re.IGNORECASE)
NO_FORMATTING = re.compile(r"#\s*fmt:\s*(skip|off)")


@cache
def sources() -> tuple[Path, ...]:
    """Every file that we write by hand, in name order."""
    return tuple(
        sorted(
            path
            for path in ROOT.rglob("*")
            if path.suffix in SUFFIXES and not NOT_OURS & set(path.relative_to(ROOT).parts) and path.is_file()
        )
    )


def product_modules() -> Iterator[tuple[Path, ast.Module]]:
    """The parsed modules of the product."""
    for path in sources():
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def untyped_dicts() -> Counter[str]:
    """How often each module of the product says `dict[str, Any]`."""
    found: Counter[str] = Counter()
    for path, tree in product_modules():
        count = sum(
            isinstance(node, ast.Subscript) and ast.unparse(node) == "dict[str, Any]" for node in ast.walk(tree)
        )
        found[str(path.relative_to(ROOT))] = count
    return +found


def untyped_rows() -> Counter[str]:
    """How often each module of the product annotates a database row without saying its columns."""
    found: Counter[str] = Counter()
    for path, tree in product_modules():
        is_store = path.stem.endswith("store")
        for node in ast.walk(tree):
            name, annotation = "", None
            if isinstance(node, ast.arg):
                name, annotation = node.arg, node.annotation
            elif isinstance(node, ast.AnnAssign):
                name, annotation = ast.unparse(node.target), node.annotation
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name, annotation = "row" if is_store else "", node.returns
            if annotation is not None and is_untyped_row(name, ast.unparse(annotation)):
                found[str(path.relative_to(ROOT))] += 1
    return +found


def is_untyped_row(name: str, annotation: str) -> bool:
    """Whether an annotation is that of a database row, or of several, whose columns nobody knows.

    `name` is what is annotated; what a store returns counts as named `row`.
    """
    if re.search(r"\b(Row|RowMapping|AnyRow)\b", annotation):
        return True
    annotation = annotation.replace("dict[str, Any]", "")  # counted for itself
    return re.fullmatch(r"(.*_)?rows?", name) is not None and re.search(r"\bAny\b", annotation) is not None


def test_the_rules_have_files_to_look_at() -> None:
    assert len(sources()) > 300
    assert {path.suffix for path in sources()} == SUFFIXES


def test_the_formatter_decides() -> None:
    skipped = [path for path in sources() if path != Path(__file__) and NO_FORMATTING.search(path.read_text("utf-8"))]
    assert not skipped


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in sources()}
    long = {path: lines for path, lines in lengths.items() if lines > MAX_LINES}
    assert len(long) <= MAX_LONG_FILES, listing(long)


def test_documents_without_a_type_become_fewer() -> None:
    assert untyped_dicts().total() <= MAX_UNTYPED_DICTS, listing(untyped_dicts())


def test_rows_without_a_type_become_fewer() -> None:
    assert untyped_rows().total() <= MAX_UNTYPED_ROWS, listing(untyped_rows())


def test_modules_have_names_that_say_something() -> None:
    found = [path for path in sources() if path.suffix == ".py" and path.stem in FORBIDDEN_MODULES]
    assert len(found) <= MAX_FORBIDDEN_MODULES, found


def test_names_are_those_of_the_field() -> None:
    found: Counter[str] = Counter()
    for path in sources():
        if path.suffix in {".py", ".js"} and path != Path(__file__):
            found[str(path.relative_to(ROOT))] = len(set(FORBIDDEN_NAME.findall(path.read_text("utf-8"))))
    assert (+found).total() <= MAX_FORBIDDEN_NAMES, listing(+found)


def test_variables_are_named_by_a_noun_of_the_domain() -> None:
    found: Counter[str] = Counter()
    for path, module in product_modules():
        bound = (node.arg if isinstance(node, ast.arg) else getattr(node, "id", "") for node in ast.walk(module))
        found[str(path.relative_to(ROOT))] = sum(name in FORBIDDEN_VARIABLES for name in bound)
    templates = jinja2.Environment(extensions=["jinja2.ext.do", "jinja2.ext.i18n"])
    for path in sources():
        if path.suffix == ".html":
            names = templates.parse(path.read_text("utf-8")).find_all(jinja2.nodes.Name)
            found[str(path.relative_to(ROOT))] = sum(name.name in FORBIDDEN_VARIABLES for name in names)
    assert (+found).total() <= MAX_FORBIDDEN_VARIABLES, listing(+found)


def test_language_is_plain() -> None:
    found: Counter[str] = Counter()
    for path in sources():
        if path != Path(__file__):
            found[str(path.relative_to(ROOT))] = len(FORBIDDEN_PHRASE.findall(path.read_text("utf-8")))
    assert (+found).total() <= MAX_FORBIDDEN_PHRASES, listing(+found)


def test_pure_tests_import_nothing_heavy() -> None:
    """What a pure test pays before it starts: the conftest, without web framework, database or servers."""
    program = (
        "import sys, tests.conftest\n"
        "heavy = {'app', 'fastapi', 'sqlalchemy', 'redis', 'geopandas', 'numba', 'playwright'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize(
    ("name", "annotation", "is_untyped"),
    [
        ("row", "Any", True),
        ("row", "Row[Any]", True),
        ("", "Sequence[Row[Any]]", True),
        ("", "AnyRow | None", True),
        ("trip_rows", "list[Any]", True),
        ("row", "TripRow", False),
        ("value", "Any", False),
        ("rows", "list[TripRow]", False),
    ],
)
def test_a_row_is_untyped_if_nobody_knows_its_columns(name: str, annotation: str, is_untyped: bool) -> None:
    assert is_untyped_row(name, annotation) == is_untyped


def listing(found: Counter[str] | dict[str, int]) -> str:
    """Where the offenders are, the worst first."""
    return "\n".join(f"{count:5} {path}" for path, count in sorted(found.items(), key=lambda item: -item[1]))

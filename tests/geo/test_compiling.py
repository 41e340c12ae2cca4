"""What is compiled is kept for the contents of all files that it is made of."""

from __future__ import annotations

import ast
from pathlib import Path

import geo
from geo import match_kernel
from geo.compiling import DIGEST, SOURCES, digest

FOLDER = Path(geo.__file__).parent


def modules_read_by(name: str) -> set[str]:
    """Modules of the package that a module imports."""
    tree = ast.parse((FOLDER / f"{name}.py").read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "geo":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("geo."):
            found.add(str(node.module).removeprefix("geo."))
    return found


def test_every_file_that_compiled_code_reads_counts() -> None:
    with_kernels = {path.stem for path in FOLDER.glob("*_kernel.py")}
    read = set().union(*map(modules_read_by, with_kernels))
    assert with_kernels | read == set(SOURCES)


def test_what_is_kept_counts_for_all_of_them() -> None:
    assert match_kernel.place._cache._cache_file._source_stamp == DIGEST
    assert digest(FOLDER, SOURCES) == DIGEST

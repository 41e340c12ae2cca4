"""The code that a recipe tells to write, as the module it would be."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from types import ModuleType

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"


def load_module(recipe: str) -> ModuleType:
    """The first Python block of `docs/recipes/{recipe}.md`, run under the name that the text before it gives to it.

    The text says "as `ingest/formats/<format>.py` (here `name`)".
    """
    text = (RECIPES / f"{recipe}.md").read_text(encoding="utf-8")
    before, block = re.split(r"^ *```python\n", text, maxsplit=1, flags=re.MULTILINE)
    code = textwrap.dedent(re.split(r"^ *```$", block, maxsplit=1, flags=re.MULTILINE)[0])
    (name,) = re.findall(r"as `ingest/formats/<format>\.py` \(here `(\w+)`\)", before)
    path = f"ingest/formats/{name}.py"
    module = ModuleType(path.removesuffix(".py").replace("/", "."))
    exec(compile(code, path, "exec", dont_inherit=True), module.__dict__)
    return module

"""The documentation says what is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from app.settings import Settings
from docs import make_settings
from docs.make_commands import TARGET, reference

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_command_reference_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "run: python -m docs.make_commands"


@pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text(encoding="utf-8")):
        assert (document.parent / target).exists(), f"{document.name} links to {target}"


def test_settings_named_in_the_readme_exist() -> None:
    named = set(re.findall(r"CUAKHAU_([A-Z_]+)", (ROOT / "README.md").read_text(encoding="utf-8")))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_paths_named_in_the_readme_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in re.findall(r"`((?:app|geo|docs|bin|ingest|routing|capacity|maps)/[\w./-]*)", text):
        assert (ROOT / path).exists(), path


def test_the_table_of_settings_is_current() -> None:
    text = make_settings.TARGET.read_text(encoding="utf-8")
    assert text == make_settings.rewritten(text), "run: python -m docs.make_settings"
    for settings in make_settings.GROUPS:
        for variable in make_settings.variables(settings):
            assert variable.what, f"{variable.name} says nothing of itself"
            assert f"| `{variable.name}` |" in text

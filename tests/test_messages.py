"""The catalogues are complete: whatever people are shown is there in every language."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from functools import partial

import pytest

from app.web.assets import Assets
from app.web.headers import content_security_policy
from app.web.i18n import COUNTS, LANGUAGES, CountedText, format_number, load_catalogues
from app.web.pages import Pages
from ingest.traces.trace import FaultReason
from tests.counting import counted_by, counted_without_form
from tests.messages import ROOT, TRANSLATED, error_messages, interface_messages, known_messages, translations

MEASURES = frozenset(["base", "hours", "load", "mean", "minutes", "shelf", "spoiled", "value"])
"""Measures, written with their decimals by whoever gives them, and what a caller gave, told as it was given."""
MAX_UNTRANSLATED_ERRORS = 133
"""Errors that only operators of the command line or programs see stay English. The number may fall, not grow."""


def test_the_extraction_finds_templates_scripts_and_code() -> None:
    places = {place for message in interface_messages().values() for place in message.places}
    for suffix in (".html:", ".js:", ".py:"):
        assert any(suffix in place for place in places), f"no message of a {suffix} file"
    assert len(interface_messages()) > 1_000


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_message_of_the_interface_is_translated(language: str) -> None:
    known = known_messages(language)
    missing = {text: message.places for text, message in interface_messages().items() if text not in known}
    assert not missing, "run `just messages` and translate what it adds"


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_wrong_with_a_trace_is_translated(language: str) -> None:
    assert {reason.value for reason in FaultReason} <= set(known_messages(language))


@pytest.mark.parametrize("language", TRANSLATED)
def test_errors_that_people_see_are_translated(language: str) -> None:
    known = known_messages(language)
    missing = [
        f"{', '.join(message.places)}: {text}" for text, message in error_messages().items() if text not in known
    ]
    assert len(missing) <= MAX_UNTRANSLATED_ERRORS, "\n".join(missing)


def test_a_message_with_a_count_has_a_form_for_one() -> None:
    assert list(counted_by("Send {ducks} white ducks to {gate}")) == ["ducks"]
    assert counted_without_form("Send {ducks} ducks to {gate}") == ["ducks"]
    assert list(counted_by("%(n)s trucks, {gate} closes, {name} is full")) == ["n"]
    messages = interface_messages() | error_messages()
    missing = {text: message.places for text, message in messages.items() if counted_without_form(text)}
    assert not missing, "give them forms in app/web/locale/en/counts.po, or use ngettext"
    assert sum(bool(list(counted_by(text))) for text in messages) > 90


def test_forms_fit_the_numbers() -> None:
    catalogue = load_catalogues()["en"]
    counted = [text for text in known_messages("en") if isinstance(catalogue.gettext(text), CountedText)]
    assert len(counted) > 90
    for text in counted:
        said = catalogue.gettext(text)
        assert isinstance(said, CountedText)
        names = re.findall(r"\{(\w+)\}|%\((\w+)\)s", text)
        for number in (2, 0, "1,000"):
            assert said.counting({first or second: number for first, second in names}) == text
        message = said.counting({first or second: 1 for first, second in names})
        assert not list(counted_by(message)), message


@pytest.mark.parametrize(
    ("number", "said"), [(1, "Send the 1 truck with rice to X"), (2, "Send the 2 trucks with rice to X")]
)
def test_a_counted_message_is_said_by_every_way_of_saying_it(number: int, said: str) -> None:
    catalogues = load_catalogues()
    text = "Send the {veh} trucks with {goods} to {gate}"
    values = {"veh": number, "goods": "rice", "gate": "X"}
    assert catalogues["en"].gettext(text).format(**values) == said
    assert catalogues["en"].gettext(text).format_map(values) == said
    for language in TRANSLATED:
        assert str(number) in catalogues[language].gettext(text).format(**values)
    pages = Pages(Assets.load(), {}, partial(content_security_policy, (), ()))
    page = pages.environment.from_string("{{ _('learned from %(count)s trucks', count=number) }} {{ _('<b>') }}")
    shown = page.render(number=number, translations=catalogues["en"], language="en")
    assert shown == f"learned from {number} {'truck' if number == 1 else 'trucks'} <b>"


@pytest.mark.parametrize(
    ("language", "said"),
    [
        ("en", ["1 trip", "2 trips", "{a}", "12,345 trips", "1.5 x", "From advice 12345", "0", "-1,234.5"]),
        ("vi", ["1 chuyến", "2 chuyến", "{a}", "12.345 chuyến", "1,5 x", "Theo khuyến nghị 12345", "0", "-1.234,5"]),
    ],
)
def test_scripts_say_forms_and_separators_too(language: str, said: list[str]) -> None:
    shown = '{{ strings_json(["{count} trips", "From advice {id}"]) }}'
    pages = Pages(Assets.load(), {}, partial(content_security_policy, (), ())).environment
    strings = pages.from_string(shown).render(translations=load_catalogues()[language], language=language)
    page = f"{{ getElementById: () => ({{ textContent: {strings!r} }}), documentElement: {{ lang: '{language}' }} }}"
    script = (ROOT / "app/web/static/i18n.js").read_text(encoding="utf-8")
    counts = ", ".join(f"t('{{count}} trips', {{ count: {count} }})" for count in ("1", "'2'"))
    more = "t('{a}'), t('{count} trips', { count: 12345 }), t('{far} x', { far: 1.5 }), "
    more += "t('From advice {id}', { id: 12345 }), formatNumber(-0.3), formatNumber(-1234.5, 1)"
    asked = f"console.log(JSON.stringify([{counts}, {more}]))"
    node = shutil.which("node", path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    assert node is not None
    done = subprocess.run(
        [node, "--input-type=module", "-e", f"globalThis.document = {page};\n{script}\n{asked}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == said


def test_every_count_is_written_as_the_reader_writes_numbers() -> None:
    """By every way of saying a message, those to come as well: a count has a name that says so."""
    many, catalogues = 54_321, load_catalogues()
    unnamed, unmarked = {}, []
    for text in interface_messages() | error_messages():
        names = set(counted_by(text)) - MEASURES
        if names - COUNTS:
            unnamed[text] = names - COUNTS
        for language in LANGUAGES if names & COUNTS else ():
            said = catalogues[language].gettext(text)
            assert isinstance(said, CountedText), text
            written = said.written(dict.fromkeys(names & COUNTS, many))
            unmarked += [text for value in written.values() if value != format_number(many, language)]
    assert (unnamed, unmarked) == ({}, [])
    pages = Pages(Assets.load(), {}, partial(content_security_policy, (), ())).environment
    page = pages.from_string(
        "{{ _('%(count)s more', count=n) }}; {{ ngettext('%(num)s truck', '%(num)s trucks', n) }}; "
        "{{ ngettext('%(num)d account', '%(num)d accounts', n) }}; {{ _('{count} trips').format(count=n) }}; "
        "{{ _('All goods together weigh {value:.0f} kg; check that they are kilograms.').format(value=n) }}; "
        "{{ _('version %(number)s', number=n) }}"
    )
    for language, number in (("vi", "54.321"), ("en", "54,321"), ("zh", "54,321")):
        shown = page.render(n=many, translations=catalogues[language], language=language)
        said = [number in part for part in shown.replace("；", "; ").split("; ") if "54" in part]
        assert said == [True, True, True, True, True, False], shown
    for language, weight in (("vi", "1.234.567 kg"), ("en", "1,234,567 kg")):
        text = "{value:.0f} kg are more than any truck carries; check that they are kilograms."
        assert catalogues[language].gettext(text).format(value=1_234_567.4).startswith(weight)


def test_a_text_of_a_page_names_its_values_as_pages_fill_them_in() -> None:
    """`{value}` is for texts that code fills in; in a template it would be shown as it stands."""
    filled = re.compile(r"""_\((["'])[^"']*\{[a-z_]+\}[^"']*\1, *[a-z_]+=""")
    pages = [path for path in (ROOT / "app").rglob("*.html") if filled.search(path.read_text("utf-8"))]
    assert pages == []


def test_chinese_is_punctuated_as_chinese() -> None:
    half = re.compile(r"[\u3400-\u9fff][,;:?!](?![\w/])")
    said = (text for texts in translations("zh").values() for text in texts)
    assert [text for text in said if half.search(text)] == []

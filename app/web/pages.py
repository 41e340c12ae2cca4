"""Pages: the Jinja environment and the one function that answers with a page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import quote

from babel.support import NullTranslations
from fastapi import Request
from jinja2 import BaseLoader, ChoiceLoader, Environment, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response

from app.platform.errors import TITLES, translate
from app.platform.labels import N_, Vocabulary
from app.platform.permissions import Principal, Role
from app.web import i18n
from app.web.assets import APP_DIR, Assets, OwnAddresses
from app.web.first_sheet import FirstSheet
from app.web.viewpoint import find_viewpoint
from geo.clock import LOCAL_ZONE
from geo.errors import CuaKhauError, ForbiddenError, ProofNeededError, SessionLockedError, StaleFormError
from geo.opening_hours import OpeningHours

NAVIGATION = (
    ("pages.police", "/police", N_("Live map"), "map-2"),
    ("orders.respond", "/driver", N_("My trip"), "truck"),
    ("pages.enterprise", "/enterprise", N_("Shipments"), "packages"),
    ("pages.enterprise", "/declarations", N_("Declarations"), "file-text"),
    ("pages.enterprise", "/bookings", N_("Bookings"), "calendar-clock"),
    ("pages.enterprise", "/enterprise/register", N_("On file"), "folders"),
    ("device_health.read", "/devices/health", N_("Health of devices"), "heartbeat"),
    ("pages.enterprise", "/fees/bills", N_("Bills"), "receipt"),
    ("pages.support", "/support", N_("Support desk"), "lifebuoy"),
    ("pages.claims", "/claims", N_("Claims"), "certificate"),
    ("pages.planner", "/planner", N_("What-if"), "chart-histogram"),
    ("skill.read", "/forecast/skill", N_("Forecast check"), "target-arrow"),
    ("pages.yard", "/yard", N_("Yard"), "parking"),
    ("pages.station", "/station", N_("Station"), "building-community"),
    ("pages.fees", "/fees", N_("Fees"), "cash"),
    ("statistics.read", "/statistics", N_("Figures"), "chart-bar"),
    ("pages.appeals", "/appeals", N_("Appeals"), "scale"),
    ("overrides.read", "/overrides", N_("Overrides"), "alert-square-rounded"),
    ("pages.notices", "/gate-notices", N_("Bans and outages"), "ban"),
    ("equipment.read", "/equipment", N_("Equipment"), "device-cctv"),
    ("gates.write", "/admin/gates", N_("Gates"), "building-arch"),
    ("accounts.read", "/admin", N_("Administration"), "settings"),
    ("audit.read", "/driver", N_("Driver"), "steering-wheel"),
    ("audit.read", "/audit", N_("Audit log"), "shield-check"),
)
"""Act needed, address, label, icon of each entry of the main menu."""


NAMED_VALUES: Final = {
    "step": "step_names",
    "steps": "step_names",
    "stage": "stage_names",
    "role": "role_names",
    "owners": "role_names",
    "regime": "regimes",
    "regimes": "regimes",
    "goods_class": "goods_names",
    "goods_classes": "goods_names",
}
"""Values of messages that are names of a vocabulary, several after commas, and which one (`NAMES` in app/main.py)."""
SITE_VALUES: Final = frozenset({"gate", "gate_id", "yard", "yard_id", "site", "site_id"})
"""Values of messages that are sites of the corridor."""
ENDED: Final = "session_ended"
"""Why who it is is asked for (`static/prove.js`): the session that a form was sent in is over."""
STALE: Final = "form_stale"
"""The form was sent in another session than it was made in: whoever is signed in now looks at it once more."""
NOT_FOR_ROLE: Final = N_("Your role does not allow this.")


class Pages:
    """What turns a template and its context into an answer, in the caller's language."""

    def __init__(
        self,
        assets: Assets,
        names: Mapping[str, Mapping[str, object]],
        policy: Callable[[Sequence[str]], str],
        script_settings: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """What the features give every template.

        `names` are their vocabularies, by what templates call them; `policy` says the Content-Security-Policy of a page
        in which these style sheets stand; `script_settings` are the platform's numbers that scripts need, as
        `static/settings.js` reads them.
        """
        self.catalogues = i18n.load_catalogues()
        self.assets = assets
        self.policy = policy
        self.environment = _environment(assets, names)
        self.environment.globals["script_settings"] = dict(script_settings)

    def language(self, request: Request) -> str:
        """The language of this request."""
        principal = find_principal(request)
        return i18n.choose_language(
            principal.locale if principal else None,
            request.cookies.get(i18n.LANGUAGE_COOKIE),
            request.headers.get("accept-language", ""),
        )

    def gettext(self, request: Request, message: str) -> str:
        """`message` in the language of this request."""
        return self.catalogues[self.language(request)].gettext(message) if message else ""

    def say_values(self, request: Request, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """What fills a message in the words of this request's reader: members of vocabularies by their labels, steps,
        stages, roles and regimes, named as such, by what they are called, gates, yards and other sites by their names.
        """
        return {name: self._say_value(request, name, value) for name, value in values.items()}

    def _say_value(self, request: Request, name: str, value: object) -> object:
        if isinstance(value, Vocabulary) and value.label:
            return self.gettext(request, value.label)
        if not isinstance(value, str):
            return value
        if name in SITE_VALUES:
            runtime = getattr(request.app.state, "runtime", None)
            site = None if runtime is None else runtime.corridor.sites.get(value)
            return value if site is None else site.name[self.language(request)]
        known = self.environment.globals.get(NAMED_VALUES.get(name, ""))
        if not isinstance(known, Mapping):
            return value
        return ", ".join(self.gettext(request, known[each]) if each in known else each for each in value.split(", "))

    def first_sheet(self, request: Request, template: str) -> FirstSheet:
        """The style sheet that the page of a template waits for, as this caller needs it."""
        return FirstSheet.of(self.assets, template, request)

    def render(self, request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """Answer with `template`; see docs/pages.md for what every template can use."""
        language = self.language(request)
        settings = request.app.state.runtime.settings
        first_sheet = self.first_sheet(request, template)
        rules = self.assets.first_rules(template) if first_sheet.is_brought else ""
        shared = {
            "request": request,
            "principal": find_principal(request),
            "language": language,
            "translations": self.catalogues[language],
            "demo": settings.demo,
            "viewpoint": find_viewpoint(request),
            "first_sheet": first_sheet,
            "first_rules": Markup(rules),  # noqa: S704 - our own sheets
        }
        html = self.environment.get_template(template).render({**shared, **context})
        headers = {"Cache-Control": "no-store"}
        if first_sheet.is_brought:
            headers["Content-Security-Policy"] = self.policy([rules])
        return HTMLResponse(html, status, headers)


def render(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Answer with the page `template` in the caller's language.

    Besides `context` a template has `principal` (or none), `language`, `demo`, `request` and what
    docs/pages.md lists.
    """
    pages: Pages = request.app.state.pages
    return pages.render(request, template, status=status, **context)


TOLD: Final = "told"
"""Cookie with what the next page says was done (`static/toasts.js`)."""
TOLD_FOR_S: Final = 60


def lead_on(request: Request, address: str, message: str, **values: str) -> Response:
    """After what a form did: on to a page, which says so; `message` is a gettext key, filled with `values`."""
    answer = RedirectResponse(address, 303)
    text = request.app.state.pages.gettext(request, message).format(**values)
    answer.set_cookie(TOLD, quote(text), max_age=TOLD_FOR_S, samesite="lax", secure=request.url.scheme == "https")
    return answer


def find_principal(request: Request) -> Principal | None:
    """Who is asking, as the request's authorisation found out; `None` if nobody or if it did not ask."""
    return getattr(request.state, "principal", None)


def error_page(request: Request, status: int, error: Exception) -> Response:
    """An error as a page; whoever is not signed in is sent to sign in and back here."""
    if status == 401 and request.method == "GET":
        return RedirectResponse(f"/signin?next={quote(request.url.path)}", 303)
    if isinstance(error, ProofNeededError | SessionLockedError):
        return _prove_page(request, status, error, error.code)
    if getattr(request.state, "sent_form", None) is not None:
        if status == 401:
            return _prove_page(request, status, error, ENDED)
        if isinstance(error, StaleFormError):
            return _prove_page(request, status, error, STALE)
    detail = ""
    if isinstance(error, ForbiddenError) and "act" in error.values:
        detail = request.app.state.pages.gettext(request, NOT_FOR_ROLE)  # people know no acts by name
    elif isinstance(error, CuaKhauError):
        detail = translate(request, error)
    elif isinstance(error, HTTPException):
        detail = "" if str(error.detail).lower() == TITLES.get(status, "").lower() else str(error.detail)
    title = TITLES.get(status, N_("Error"))
    return render(request, "error.html", status=status, code=status, title=title, detail=detail)


def _prove_page(request: Request, status: int, error: Exception, code: str | None) -> Response:
    """The page that asks who it is (`code` says why), and then sends again what was sent."""
    sent: FormData | None = getattr(request.state, "sent_form", None)
    query = f"?{request.url.query}" if request.url.query else ""
    return render(
        request,
        "prove_page.html",
        status=status,
        code=code,
        detail=translate(request, error) if isinstance(error, CuaKhauError) else "",
        address=request.url.path + query,
        kept=None if sent is None else [(name, value) for name, value in sent.multi_items() if isinstance(value, str)],
        has_files=sent is not None and any(not isinstance(value, str) for _, value in sent.multi_items()),
    )


def _loader() -> BaseLoader:
    """Templates of the shell by their name, those of a feature, `app/<feature>/templates`, as `<feature>/<name>`."""
    folders = {folder.parent.name: FileSystemLoader(folder) for folder in APP_DIR.glob("*/templates")}
    return ChoiceLoader([folders.pop("web"), PrefixLoader(folders)])


@pass_context
def _at(context: Context, address: str) -> str:
    """`address` of the same viewpoint as the page."""
    viewpoint = context.get("viewpoint")
    return address if viewpoint is None else viewpoint.keep(address)


@pass_context
def _say_values(context: Context, values: Mapping[str, Any]) -> Mapping[str, Any]:
    """What fills a message, in the reader's words (`Pages.say_values`)."""
    request: Request = context["request"]
    said: Mapping[str, Any] = request.app.state.pages.say_values(request, values)
    return said


@pass_context
def _menu_address(context: Context) -> str:
    """The entry of the menu that a page belongs to, of the caller's."""
    principal = context["principal"]
    return find_here(context["request"].url.path, (address for act, address, *_ in NAVIGATION if principal.may(act)))


@pass_context
def _tab_address(context: Context, addresses: Iterable[str]) -> str:
    """Which of the tabs with these addresses the page belongs to."""
    return find_here(context["request"].url.path, addresses)


def find_here(path: str, addresses: Iterable[str]) -> str:
    """The longest of `addresses` that is `path` or a folder of it; empty if none is."""
    return max((each for each in addresses if path == each or path.startswith(f"{each}/")), key=len, default="")


def _environment(assets: Assets, names: Mapping[str, Mapping[str, object]]) -> Environment:
    environment = Environment(
        loader=_loader(),
        autoescape=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do", OwnAddresses],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.extend(assets=assets)
    environment.install_gettext_callables(  # type: ignore[attr-defined]
        pass_context(_gettext), pass_context(_ngettext), newstyle=True
    )
    environment.globals["gettext"] = _gettext_with
    environment.globals |= {
        "at": _at,
        "menu_address": _menu_address,
        "tab_address": _tab_address,
        "say_values": _say_values,
    }
    environment.globals |= {
        "N_": N_,
        "vendor": assets.vendor,
        "import_map": Markup(assets.import_map()),  # noqa: S704 - our own constant, no input in it
        "first_script": Markup(assets.first_script),  # noqa: S704 - likewise
        "strings_json": strings_json,
        "vocabularies_json": vocabularies_json,
        "navigation": NAVIGATION,
        "role_names": Role.labels(),
        "languages": i18n.LANGUAGES,
        **names,
    }
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}  # scripts list things in our order
    environment.filters |= {
        "localtime": _localtime,
        "days_until": days_until,
        "number": _number,
        "exactly": _exactly,
        "km": _km,
        "duration": _duration,
        "wait": _wait,
        "hours": _hours,
    }
    return environment


def _translations(context: Context) -> NullTranslations:
    translations: NullTranslations = context["translations"]
    return translations


def _gettext(context: Context, message: str) -> str:
    return str(_translations(context).gettext(message)) if message else ""


@pass_context
def _gettext_with(context: Context, message: str, /, **values: object) -> Markup:
    """As Jinja's own, with the forms of a text that fit the numbers in it."""
    found = _translations(context).gettext(message) if message else ""
    if isinstance(found, i18n.CountedText) and not values:
        return _CountedMarkup.of(found)
    if isinstance(found, i18n.CountedText):
        return Markup(found.counting(values)) % found.written(values)  # noqa: S704 - our own text; the values are escaped
    return Markup(found) % values  # noqa: S704 - our own text; the values are escaped


class _CountedMarkup(Markup):
    """A text with counts that a template formats itself: `_(message).format(count=2)`."""

    counted: str

    @classmethod
    def of(cls, text: i18n.CountedText) -> Markup:
        """The text, its values still to be put in."""
        made = cls(str(text) % {})
        made.counted = i18n.CountedText.of(str(made), text.language)
        return made

    def format(self, *args: Any, **values: Any) -> Markup:  # type: ignore[override]  # no more counts in it
        """As `Markup.format`, with the counts and the forms that fit."""
        if not isinstance(self.counted, i18n.CountedText):
            return super().format(*args, **values)
        return Markup(self.counted.counting(values)).format(*args, **self.counted.written(values))  # noqa: S704 - likewise


def _ngettext(context: Context, singular: str, plural: str, n: int) -> str:
    return str(_translations(context).ngettext(singular, plural, n))


@pass_context
def strings_json(context: Context, messages: list[str]) -> Markup:
    """The JSON that `static/i18n.js` reads: message → translation with its counts marked, safe inside a script
    element."""
    strings = {message: i18n.mark_counts(_gettext(context, message)) for message in messages}
    return Markup(json.dumps(strings, ensure_ascii=False).replace("<", "\\u003c"))  # noqa: S704 - escaped just here


@pass_context
def vocabularies_json(context: Context, vocabularies: Sequence[type[Vocabulary]]) -> Markup:
    """The JSON that `static/vocabulary.js` reads, by the names of the vocabularies, safe inside a script element."""
    described = {vocabulary.__name__: vocabulary.described(partial(_gettext, context)) for vocabulary in vocabularies}
    return Markup(json.dumps(described, ensure_ascii=False).replace("<", "\\u003c"))  # noqa: S704 - escaped just here


@pass_context
def _localtime(context: Context, moment: datetime | None, pattern: str = "HH:mm dd/MM") -> str:
    return i18n.format_time(moment, context["language"], pattern)


def days_until(day: date, now: datetime) -> int:
    """Days from the day at the border to another; below 0 it is over."""
    return (day - now.astimezone(LOCAL_ZONE).date()).days


@pass_context
def _number(context: Context, value: float | None, digits: int = 0) -> str:
    return i18n.format_number(value, context["language"], digits)


@pass_context
def _exactly(context: Context, value: Decimal | float | None) -> str:
    return i18n.format_exactly(value, context["language"])


@pass_context
def _km(context: Context, length_m: float | None) -> str:
    return i18n.format_km(length_m, context["language"])


@pass_context
def _hours(context: Context, hours: OpeningHours | str) -> str:
    known = OpeningHours.parse(hours) if isinstance(hours, str) else hours
    return i18n.format_hours(known, _translations(context))


@pass_context
def _wait(context: Context, wait_s: float | None, reach_s: float) -> str:
    return i18n.format_wait(wait_s, reach_s, context["language"], _translations(context))


@pass_context
def _duration(context: Context, duration_s: float | None) -> str:
    return i18n.format_duration(duration_s, _translations(context))

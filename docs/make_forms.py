"""Writes the page of message forms and their JSON Schemas from the forms' own tables: `python -m docs.make_forms`."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from app.integrations.forms.schema import json_schema
from app.integrations.forms.table import CodeList, FormTable, Place, load, places

FOLDER = Path(__file__).parent
TARGET = FOLDER / "message-forms.md"
FORMS = ("wco_dec",)
KINDS = {
    "text": "text",
    "code": "code",
    "count": "whole number",
    "flag": "0 or 1",
    "decimal": "number, at most six decimals",
    "time": "time, format 304, with its offset",
}
HEAD = """# Message forms

How a declaration is written in messages to and from other authorities: which field of ours stands at which path, in
which codes. Made from the tables in `app/integrations/forms` by `just forms`; a test holds this page and the schemas to
them. What is done with the messages: [integrations](integrations.md).
"""


def schema_path(table: FormTable) -> Path:
    """Where the JSON Schema of a form is kept."""
    return FOLDER / f"{table.name}-{table.version}.schema.json"


def schema_text(table: FormTable) -> str:
    """The JSON Schema of a form as its file holds it."""
    return json.dumps(json_schema(table), ensure_ascii=False, indent=1) + "\n"


def page() -> str:
    """The page of all forms as Markdown."""
    return "\n".join([HEAD, *(_form(load(name)) for name in FORMS)])


def _form(table: FormTable) -> str:
    found = list(places(table))
    bases = Counter(place.leaf.basis for place in found)
    rows = "\n".join(_row(place) for place in found)
    codes = "\n\n".join(_codes(name, codes) for name, codes in table.codes.items())
    schema = schema_path(table).name
    envelope = table.xml.envelope.element if table.xml.envelope else "–"
    return f"""## {table.title}, version {table.version}

XML in the namespace `{table.xml.namespace}`, with or without its envelope `{envelope}`; or JSON of the same names
([schema]({schema})): an element is its text or an object of its children, a list where it may stand several times; an
attribute is `@name` beside `#text`. Elements that are not in the table are passed over. `[…]` in a path tells elements
of one name apart; `*` stands for several.

Of the {len(found)} fields {bases["public"]} are where the public form has them that customs of the United Kingdom (CDS)
and of Denmark (DMS) use; {bases["assumed"]} are assumed: neither Viet Nam's National Single Window nor Nanning customs
has published a specification that we found. WCO is the element's number in the data model, where we know it.

| field | path | kind | WCO | basis |
|---|---|---|---|---|
{rows}

### Codes

{codes}
"""


def _row(place: Place) -> str:
    leaf = place.leaf
    kind = f"{KINDS[leaf.kind]} `{leaf.codes}`" if leaf.codes else KINDS[leaf.kind]
    limit = f", at most {leaf.max} characters" if leaf.kind in {"text", "code"} else ""
    must = ", required" if leaf.required else ""
    return f"| `{'.'.join(place.fields)}` | `{place.path}` | {kind}{limit}{must} | {leaf.wco} | {leaf.basis} |"


def _codes(name: str, codes: CodeList) -> str:
    others = "Other codes are refused." if codes.closed else "Other codes are kept as they are."
    rows = [f"| {ours} | {', '.join(f'`{code}`' for code in known)} |" for ours, known in codes.names.items()]
    what = f"`{name}`, of {codes.source}; the first is written, all are read. {others}"
    return "\n".join([what, "", "| ours | codes |", "|---|---|", *rows])


if __name__ == "__main__":
    TARGET.write_text(page(), encoding="utf-8")
    for form in FORMS:
        schema_path(load(form)).write_text(schema_text(load(form)), encoding="utf-8")

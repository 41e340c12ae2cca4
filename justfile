# What one does every day. `just` comes with the tests' packages: .venv/bin/just; without arguments it lists the tasks.

set shell := ["bash", "-euo", "pipefail", "-c"]
export PYTHONPATH := justfile_directory()
bin := justfile_directory() / ".venv/bin"

_default:
    @{{ bin }}/just --list --unsorted

# the demo, with reload of code and templates
dev *arguments:
    bin/dev {{ arguments }}

# tests: just test tests/geo, just test -k matching; without arguments all of them, as CI does
test *arguments:
    bin/test {{ arguments }}

# format, and mend what the linter can mend
format:
    {{ bin }}/ruff check --fix .
    {{ bin }}/ruff format .

# what CI looks at first: lint, types, imports
check:
    {{ bin }}/ruff check .
    {{ bin }}/ruff format --check .
    {{ bin }}/mypy
    {{ bin }}/lint-imports

# add messages that have no translation yet to app/web/locale/*/messages.po
messages:
    {{ bin }}/python -m tests.messages
    {{ bin }}/pytest -q tests/test_messages.py

# the table of settings in docs/operations.md from the settings themselves
settings:
    {{ bin }}/python -m docs.make_settings

# docs/api.txt from the API itself; says what has to be written down before something may go
api:
    {{ bin }}/python -m docs.make_api

# docs/commands.md from the commands themselves
commands:
    {{ bin }}/python -m docs.make_commands

# docs/message-forms.md and the JSON Schemas from the tables of the message forms
forms:
    {{ bin }}/python -m docs.make_forms

# the pictures of the README, from a running demonstration: just pictures --port 8080 --data-dir var
pictures *arguments:
    {{ bin }}/python -m docs.make_pictures {{ arguments }}

# pin dependencies after a change of pyproject.toml
lock:
    {{ bin }}/uv pip compile -q --universal --generate-hashes --no-header -o requirements.lock pyproject.toml
    {{ bin }}/uv pip compile -q --universal --generate-hashes --no-header --group setup -o requirements-setup.lock
    for group in test bench traces; do {{ bin }}/uv pip compile -q --universal --generate-hashes --no-header --group $group -o requirements-$group.lock pyproject.toml; done

# measurements: just bench ingest
bench *arguments:
    bin/bench {{ arguments }}

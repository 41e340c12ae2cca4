"""Accounts of many people at once, from a table that an office sends: all of them are made, or none."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from app.accounts import service, store
from app.accounts.tables import LOCALES
from app.platform.actions import ActionContext
from app.platform.permissions import Role
from app.platform.reading_apart import read_apart
from app.platform.table_cells import Cell
from app.platform.table_files import Layout, Table, read_table
from geo.errors import ConflictError, CuaKhauError, InvalidInputError, MalformedError
from geo.text import fold

MAX_ROWS: Final = 200
"""A first password takes a twentieth of a second to keep."""
MAX_BYTES: Final = 2**20
LETTERS: Final = "abcdefghijkmnpqrstuvwxyz23456789"
"""Without those that are taken for each other."""
HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "username": ("username", "user name", "tên đăng nhập", "tài khoản", "用户名", "账号", "账户"),
    "full_name": ("full_name", "name", "full name", "họ tên", "họ và tên", "tên", "姓名"),
    "role": ("role", "vai trò", "角色"),
    "organisation": ("organisation", "organization", "tổ chức", "đơn vị", "doanh nghiệp", "单位", "组织"),
    "gate": ("gate", "cửa khẩu", "口岸"),
    "plate": ("plate", "biển số", "biển số xe", "车牌", "车牌号"),
    "locale": ("language", "locale", "ngôn ngữ", "语言"),
}
LAYOUT: Final = Layout(HEADINGS, ("username", "full_name", "role"), MAX_ROWS, MAX_BYTES, refuses_twice=True)
TEMPLATE: Final = "\ufefftên đăng nhập,họ tên,vai trò,tổ chức,cửa khẩu,biển số,ngôn ngữ\r\n"


@dataclass(frozen=True)
class Names:
    """What offices call roles and gates, folded (`geo.text.fold`), in any language: name → role, name → gate.

    Of a gate's name a part is enough that no other gate has.
    """

    roles: Mapping[str, Role]
    gates: Mapping[str, str]


@dataclass(frozen=True)
class MadeAccount:
    """An account that was made, with its first password; nobody can read it again."""

    username: str
    full_name: str
    role: Role
    password: str


@dataclass(frozen=True)
class RowProblem:
    """Why the account of a line (as a spreadsheet counts) cannot be made."""

    line: int
    username: str
    error: CuaKhauError


def read_file(content: bytes) -> Table:
    """The table of a file, CSV or XLSX, read in a process of its own.

    Raises
    ------
    MalformedError, UnavailableError
        If it is no such file, or too many are being read.
    """
    return read_apart(
        read_table, content, LAYOUT, too_much=MalformedError("The file takes too long to read; split it.")
    )


def make_accounts(action: ActionContext, table: Table, names: Names) -> tuple[list[MadeAccount], list[RowProblem]]:
    """Make the account of each line; if one of them cannot be made, none is, and what is wrong is said of each."""
    made: list[MadeAccount] = []
    problems: list[RowProblem] = []
    with action.session.begin_nested() as savepoint:
        for line in table.lines:
            row = {name: _text(cell) for name, cell in table.named(line).items()}
            try:
                made.append(_make(action, row, names))
            except (InvalidInputError, ConflictError) as error:
                problems.append(RowProblem(line.number, row.get("username", ""), error))
        if problems:
            savepoint.rollback()
            made.clear()
    return made, problems


def _make(action: ActionContext, row: Mapping[str, str], names: Names) -> MadeAccount:
    password = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))
    role = _role(row.get("role", ""), names)
    account = service.create_account(
        action,
        username=row.get("username", ""),
        password=password,
        full_name=row.get("full_name", ""),
        role=role,
        organisation_id=_organisation(action.session, row.get("organisation", "")),
        gate_id=_gate(row.get("gate", ""), names),
        vehicle_id=service.vehicle_with_plate(action.session, plate) if (plate := row.get("plate", "")) else None,
        locale=_locale(row.get("locale", "")),
    )
    return MadeAccount(account.username, account.full_name, role, password)


def _role(written: str, names: Names) -> Role:
    found = Role.lookup(written) or names.roles.get(fold(written))
    if found is None:
        raise InvalidInputError("{value} is no role here.", field="role", value=written)
    return found


def _organisation(session: Session, written: str) -> int | None:
    if not written:
        return None
    wanted = fold(written)
    found: Sequence[int] = [
        each.organisation_id for each in store.list_organisations(session) if fold(each.name) == wanted
    ]
    if len(found) != 1:
        raise InvalidInputError("There is no organisation called {value}.", field="organisation", value=written)
    return found[0]


def _gate(written: str, names: Names) -> str | None:
    if not written:
        return None
    wanted = fold(written)
    found = {gate_id for name, gate_id in names.gates.items() if wanted in name}
    if len(found) != 1:
        raise InvalidInputError("There is no gate called {value}.", field="gate", value=written)
    return found.pop()


def _locale(written: str) -> str:
    if written and written.lower() not in LOCALES:
        raise InvalidInputError(
            "{value} is not possible here; choose one of: {allowed}.",
            field="locale",
            value=written,
            allowed=", ".join(LOCALES),
        )
    return written.lower() or LOCALES[0]


def _text(cell: Cell) -> str:
    return "" if cell is None else str(cell).strip()

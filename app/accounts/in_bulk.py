"""Accounts of many people at once, from a table that an office sends: all of them are made, or none."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

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

T = TypeVar("T")
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
    """Make the account of each line; if one of them cannot be made, none is, and all that is wrong is said of each."""
    made: list[MadeAccount] = []
    problems: list[RowProblem] = []
    first_lines: dict[str, int] = {}
    with action.session.begin_nested() as savepoint:
        for line in table.lines:
            row = {name: _text(cell) for name, cell in table.named(line).items()}
            username = row.get("username", "")
            first = first_lines.setdefault(username.lower(), line.number)
            found = _Reading(action.session, row, names, first if first != line.number and username else None)
            if not found.problems:
                try:
                    made.append(_make(action, found))
                except (InvalidInputError, ConflictError) as error:
                    found.problems.append(error)
            problems += [RowProblem(line.number, username, error) for error in found.problems]
        if problems:
            savepoint.rollback()
            made.clear()
    return made, problems


class _Reading:
    """What a line says, and everything that is wrong in its cells."""

    def __init__(self, session: Session, row: Mapping[str, str], names: Names, first_line: int | None) -> None:
        self.problems: list[CuaKhauError] = []
        self.full_name = row.get("full_name", "")
        self.username = self._cell(lambda: _username(session, row.get("username", ""), first_line))
        self.role = self._cell(lambda: _role(row.get("role", ""), names))
        self.organisation_id = self._cell(lambda: _organisation(session, row.get("organisation", "")))
        self.gate_id = self._cell(lambda: _gate(row.get("gate", ""), names))
        plate = row.get("plate", "")
        self.vehicle_id = self._cell(lambda: service.vehicle_with_plate(session, plate) if plate else None)
        self.locale = self._cell(lambda: _locale(row.get("locale", "")))

    def _cell(self, read: Callable[[], T]) -> T | None:
        try:
            return read()
        except (InvalidInputError, ConflictError) as error:
            self.problems.append(error)
            return None


def _make(action: ActionContext, found: _Reading) -> MadeAccount:
    password = "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(4))
    assert found.username is not None
    assert found.role is not None
    assert found.locale is not None
    account = service.create_account(
        action,
        username=found.username,
        password=password,
        full_name=found.full_name,
        role=found.role,
        organisation_id=found.organisation_id,
        gate_id=found.gate_id,
        vehicle_id=found.vehicle_id,
        locale=found.locale,
    )
    return MadeAccount(account.username, account.full_name, found.role, password)


def _username(session: Session, written: str, first_line: int | None) -> str:
    if first_line is not None:
        message = "The user name {value} stands in line {line} already."
        raise ConflictError(message, field="username", value=written, line=first_line)
    if not written:
        raise InvalidInputError("The user name is missing.", field="username")
    return service.free_username(session, written)


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

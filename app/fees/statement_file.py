"""Bank statements as tables: CSV or XLSX as banks and people save them, found under their title lines. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.platform.table_cells import Cell
from app.platform.table_files import Layout, read_table
from geo.text import fold

MAX_ROWS: Final = 5000
MAX_BYTES: Final = 4 * 2**20

HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "bank_ref": (
        "bank_ref",
        "mã giao dịch",
        "mã gd",
        "số giao dịch",
        "số gd",
        "số tham chiếu",
        "mã tham chiếu",
        "số bút toán",
        "mã bút toán",
        "số chứng từ",
        "số ct",
        "transaction id",
        "transaction no",
        "reference",
        "reference no",
        "reference number",
        "ref no",
        "doc no",
    ),
    "received_at": (
        "received_at",
        "thời gian",
        "thời gian giao dịch",
        "ngày giờ",
        "ngày giờ giao dịch",
        "ngày giao dịch",
        "ngày gd",
        "ngày hạch toán",
        "ngày hiệu lực",
        "ngày",
        "transaction time",
        "transaction date",
        "trans date",
        "posting date",
        "value date",
        "date",
    ),
    "clock": ("giờ", "giờ giao dịch", "giờ gd", "time"),
    "side": (
        "side",
        "loại giao dịch",
        "loại gd",
        "loại",
        "nợ/có",
        "có/nợ",
        "ghi nợ/ghi có",
        "ghi nợ/có",
        "chiều giao dịch",
        "dấu",
        "d/c",
        "c/d",
        "dr/cr",
        "cr/dr",
        "debit/credit",
        "credit/debit",
        "transaction type",
        "type",
    ),
    "currency": ("loại tiền", "tiền tệ", "đơn vị tiền tệ", "nguyên tệ", "currency", "ccy"),
    "amount_vnd": (
        "amount_vnd",
        "ghi có",
        "số tiền ghi có",
        "phát sinh có",
        "ps có",
        "có",
        "tiền vào",
        "credit",
        "credit amount",
        "số tiền",
        "số tiền giao dịch",
        "số tiền gd",
        "amount",
    ),
    "content": (
        "content",
        "nội dung",
        "nội dung giao dịch",
        "nội dung chi tiết",
        "nội dung chuyển khoản",
        "diễn giải",
        "chi tiết giao dịch",
        "mô tả",
        "mô tả giao dịch",
        "description",
        "transaction description",
        "remark",
        "remarks",
        "details",
        "transactions in detail",
    ),
    "payer": (
        "payer",
        "người chuyển",
        "tên người chuyển",
        "đối tác",
        "tên đối ứng",
        "tên tài khoản đối ứng",
        "đơn vị chuyển",
        "sender",
        "counter account name",
        "remitter",
    ),
}
"""The headings under which statements carry what is read, likeliest first; compared without accents and case.

`side` says of an amount whether it came in or went out; it stands before the amount, since `Debit/Credit` over such a
column is no heading of an amount.
"""
OUTGOING: Final = re.compile(
    r"d|dr|deb|debit|no|ghi no|out|outgoing|chi|ra|di|tien ra|(?:chuyen )?(?:tien )?(?:di|ra)|-"
)
"""What the side of a movement that went out is called, folded."""
WENT_OUT: Final = re.compile(r"[-−(].*|.*(?:[-−]|(?<![^\W\d])dr)", re.IGNORECASE)
"""An amount that went out, by its sign or the letters behind it."""
DONG: Final = frozenset({"", "vnd", "d", "dong", "viet nam dong"})
LAYOUT: Final = Layout(
    headings=HEADINGS,
    required=("received_at", "amount_vnd", "content"),
    max_rows=MAX_ROWS,
    max_bytes=MAX_BYTES,
)


@dataclass(frozen=True)
class StatementRow:
    """A row of a statement: its line as a spreadsheet counts, and its cells by the names of `HEADINGS`."""

    number: int
    cells: Mapping[str, Cell]

    def text(self, name: str) -> str:
        """A cell as text, empty if there is none."""
        value = self.cells.get(name)
        if value is None:
            return ""
        if isinstance(value, float) and value.is_integer():
            return str(int(value))
        return " ".join(str(value).replace("\x00", "").split())

    @property
    def is_outgoing(self) -> bool:
        """Whether the statement says that its amount went out."""
        side = fold(self.text("side")).strip(" .")
        return OUTGOING.fullmatch(side) is not None or WENT_OUT.fullmatch(self.text("amount_vnd")) is not None

    @property
    def other_currency(self) -> str:
        """The currency of its amount if that is not đồng, else empty."""
        written = self.text("currency")
        return "" if fold(written).strip(" .₫") in DONG else written

    @property
    def is_entry(self) -> bool:
        """Whether it stands for a movement of money: sums and signatures below a statement say no time and no name."""
        has_time = any(character.isdigit() for character in self.text("received_at"))
        return has_time or bool(self.text("bank_ref") or (self.text("received_at") and self.text("content")))


def read_rows(content: bytes) -> list[StatementRow]:
    """The rows of a statement below its header, CSV or XLSX by its first bytes.

    The header is the first line that has a heading for time, amount and content; whatever stands over it is passed
    over, and so are lines below it that have neither time nor amount (sums, signatures). Rows that a filter hides
    count too: a bank's movements do not depend on how somebody looks at them.

    Raises
    ------
    MalformedError
        If it is neither, too large, has no header, or no row.
    """
    table = read_table(content, LAYOUT)
    rows = [StatementRow(line.number, table.named(line)) for line in table.lines]
    return [row for row in rows if row.is_entry]

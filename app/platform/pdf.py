"""PDF documents in the platform's typeface: receipts, bulletins.

Be Vietnam Pro comes from npm in pieces by script (Latin, Vietnamese, extended Latin); the first carries the text, the
others step in sign by sign. It has no Chinese signs, so documents are made in Vietnamese or English.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Final, Literal

from fpdf import FPDF
from fpdf.enums import XPos, YPos
from fpdf.fonts import FontFace

from app.settings import PROJECT_DIR

FONT_DIR: Final = PROJECT_DIR / "node_modules" / "@fontsource" / "be-vietnam-pro" / "files"
FAMILY: Final = "be-vietnam-pro"
PIECES: Final = ("latin", "vietnamese", "latin-ext")
WEIGHTS: Final = {"": "400", "B": "700"}
MARGIN_MM: Final = 16.0
MUTED: Final = (85, 99, 111)
LINE: Final = (213, 221, 229)

Align = Literal["LEFT", "RIGHT", "CENTER"]


class Document(FPDF):
    """An A4 document (or of another `paper`, such as A5) with a title, and a note at the foot of each page.

    `made_at` is written into the file, so that the same content gives the same bytes.
    """

    def __init__(
        self,
        title: str,
        *,
        made_at: datetime,
        language: str = "vi",
        paper: str = "A4",
        landscape: bool = False,
        foot: str = "",
    ) -> None:
        super().__init__(orientation="landscape" if landscape else "portrait", unit="mm", format=paper)
        self.foot = foot
        for style, weight in WEIGHTS.items():
            for piece in PIECES:
                name = FAMILY if piece == "latin" else f"{FAMILY}-{piece}"
                self.add_font(name, style, FONT_DIR / f"be-vietnam-pro-{piece}-{weight}-normal.woff")
        self.set_fallback_fonts([f"{FAMILY}-{piece}" for piece in PIECES[1:]], exact_match=True)
        self.set_title(title)
        self.set_lang(language)
        self.set_creator("Cửa Khẩu Số")
        self.set_creation_date(made_at)
        self.set_margins(MARGIN_MM, MARGIN_MM)
        self.set_auto_page_break(True, margin=MARGIN_MM + 4)
        self.add_page()
        self._font(16, bold=True)
        self.multi_cell(0, 8, title, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def footer(self) -> None:
        """The note and the page's number."""
        self.set_y(-MARGIN_MM + 2)
        self._font(8, muted=True)
        self.cell(self.epw - 20, 5, self.foot)
        self.cell(20, 5, f"{self.page_no()}/{{nb}}", align="R")

    def heading(self, text: str) -> None:
        """A heading within the document."""
        self.ln(4)
        self._font(12, bold=True)
        self.multi_cell(0, 7, text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def paragraph(self, text: str, *, muted: bool = False, bold: bool = False, align: str = "L") -> None:
        """Lines of text over the whole width."""
        self._font(9 if muted else 10, muted=muted, bold=bold)
        self.multi_cell(0, 5, text, align=align, new_x=XPos.LMARGIN, new_y=YPos.NEXT)

    def facts(self, rows: Sequence[tuple[str, str]]) -> None:
        """Names and values, one pair a line."""
        self.grid(None, rows, widths=(1, 2), aligns=("LEFT", "LEFT"))

    def grid(
        self,
        head: Sequence[str] | None,
        rows: Sequence[Sequence[str]],
        *,
        widths: Sequence[float] | None = None,
        aligns: Sequence[Align] | None = None,
        bold_last: bool = False,
    ) -> None:
        """A table over the whole width, its `head` repeated on each page; `widths` are shares; `bold_last` a total."""
        self.ln(1)
        self._font(10)
        self.set_draw_color(*LINE)
        with self.table(
            col_widths=tuple(widths) if widths else None,
            text_align=tuple(aligns) if aligns else "LEFT",
            first_row_as_headings=head is not None,
            headings_style=FontFace(emphasis="BOLD", color=MUTED),
            borders_layout="HORIZONTAL_LINES",
            line_height=6,
            padding=0.8,
        ) as table:
            for row in ([head] if head is not None else []) + list(rows):
                style = FontFace(emphasis="BOLD") if bold_last and row is rows[-1] else None
                table.row([str(cell) for cell in row], style=style)

    def picture(self, image: bytes, *, width_mm: float) -> None:
        """An image (PNG, JPEG or SVG) at the left, such as a QR code."""
        self.image(BytesIO(image), w=width_mm)

    def to_bytes(self) -> bytes:
        """The finished file."""
        return bytes(self.output())

    def _font(self, size_pt: float, *, bold: bool = False, muted: bool = False) -> None:
        self.set_font(FAMILY, "B" if bold else "", size_pt)
        self.set_text_color(*(MUTED if muted else (0, 0, 0)))

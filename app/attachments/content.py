"""What a file is, by its content: PDF, JPEG, PNG or WebP, whatever its name says."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from typing import Final

from PIL import Image, UnidentifiedImageError

from app.platform.reading_apart import read_apart
from geo.errors import InvalidInputError

JPEG: Final = ("image/jpeg", ".jpg")
IMAGES: Final = {"JPEG": JPEG, "PNG": ("image/png", ".png"), "WEBP": ("image/webp", ".webp")}
READ_AS: Final = {**IMAGES, "MPO": JPEG}
"""Phones put further pictures (depth, preview) behind a JPEG (CIPA DC-007); it is a JPEG all the same."""
PDF: Final = ("application/pdf", ".pdf")
MAX_PIXELS: Final = 80_000_000
NAME_LENGTH: Final = 120
_PDF_HEADER: Final = re.compile(rb"%PDF-[12]\.\d")


def detect(content: bytes) -> tuple[str, str]:
    """The media type of a file and the ending that its name gets.

    A PDF is known by its header in the first kilobyte and its end mark (ISO 32000-1, 7.5.2 and 7.5.5), an image by
    being one that can be read to the end, apart: a hundred kilobytes may be 80 million pixels.

    Raises
    ------
    InvalidInputError
        If it is neither, or damaged.
    UnavailableError
        If too many files are being read now.
    """
    if _PDF_HEADER.search(content[:1024]) and b"%%EOF" in content[-2048:]:
        return PDF
    return READ_AS[read_apart(read_image, content, too_much=_refused())]


def read_image(content: bytes) -> str:
    """The format of an image, read to the end.

    Raises
    ------
    InvalidInputError
        If it is none, damaged, or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=tuple(IMAGES)) as image:
                kind, (width, height) = image.format or "", image.size
                if kind not in READ_AS or width * height > MAX_PIXELS:
                    raise _refused()
                image.load()
                return kind
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Warning, Image.DecompressionBombError):
        raise _refused() from None


def safe_name(written: str, ending: str) -> str:
    """A file's name as it is kept: no folders, no control characters, the ending of what it is."""
    base = unicodedata.normalize("NFC", written).replace("\\", "/").rpartition("/")[2]
    base = "".join(sign if sign.isprintable() and sign not in '<>:"|?*%;' else " " for sign in base)
    stem, dot, last = base.rpartition(".")
    stem = stem if dot and stem.strip() and len(last) <= 5 else base
    return f"{' '.join(stem.split())[:NAME_LENGTH].strip('. ') or 'file'}{ending}"


def _refused() -> InvalidInputError:
    return InvalidInputError("The file is not a PDF, JPEG, PNG or WebP that can be read; choose another.", field="file")

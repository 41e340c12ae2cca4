"""Bodies of GPS clients: whole, unpacked; packed or not, no larger than said, nor than there is memory for."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request

from app.web.bodies import body_pieces
from geo.errors import UnavailableError
from ingest.budget import Share
from ingest.stream import RETRY_AFTER_S

_PIECE_BYTES: Final = 256 * 1024
"""What is unpacked at once."""
_WINDOW_BITS: Final[Mapping[str, int]] = {"gzip": zlib.MAX_WBITS | 16, "x-gzip": zlib.MAX_WBITS | 16, "deflate": 0}
_MAX_MEMBERS: Final = 1000
_MAX_CODINGS: Final = 2
"""Packed twice is a mistake of a proxy, more often is no mistake."""
_PLAIN: Final = frozenset({"", "identity"})


async def read_body(request: Request, limit: int, share: Share) -> bytes:
    """The whole body, unpacked; refused before it is read if it is larger than `limit` bytes or is left to `share`.

    Raises
    ------
    HTTPException
        413 if it is larger, 415 if it is packed in a way that is not known, 400 if it cannot be unpacked.
    UnavailableError
        If more is being read at once than memory is meant for, or it comes too slowly.
    """
    try:
        body = b"".join([piece async for piece in body_pieces(request, limit, share)])
    except HTTPException as error:
        if error.status_code != 408:
            raise
        # Nothing of it was kept, and "send again" has one answer at these doors.
        raise UnavailableError(
            "The message came too slowly; send again in {retry_after_s} s.", retry_after_s=RETRY_AFTER_S
        ) from None
    return _unpack(body, request.headers.get("content-encoding", ""), limit, share)


def _unpack(body: bytes, encoding: str, limit: int, share: Share) -> bytes:
    """`body` as it was before it was packed by `encoding`, which names one packing or several."""
    names = [name for each in encoding.split(",") if (name := each.strip().lower()) not in _PLAIN]
    if len(names) > _MAX_CODINGS:
        raise HTTPException(415, f"The body is packed {len(names)} times; pack it once.")
    for name in reversed(names):
        if not body:
            break
        if name not in _WINDOW_BITS:
            raise HTTPException(415, f"Content-Encoding {name[:40]} is not one of gzip, deflate.")
        body = _inflate(body, name, limit, share)
    return body


def _inflate(body: bytes, name: str, limit: int, share: Share) -> bytes:
    bits = _WINDOW_BITS[name] or (zlib.MAX_WBITS if body[0] & 0x0F == 8 else -zlib.MAX_WBITS)
    packed = memoryview(body)
    parts: list[bytes] = []
    size = 0
    for _ in range(_MAX_MEMBERS):  # gzip may have several
        inflater = zlib.decompressobj(bits)
        while not inflater.eof:
            piece = packed[:_PIECE_BYTES]  # what is left of it is copied: a whole body would be, for each member
            try:
                part = inflater.decompress(piece, min(_PIECE_BYTES, limit + 1 - size))
            except zlib.error as error:
                raise HTTPException(400, f"The body cannot be unpacked as {name}: {error}.") from None
            packed = packed[len(piece) - len(inflater.unconsumed_tail) - len(inflater.unused_data) :]
            if not part and not packed and not inflater.eof:
                raise HTTPException(400, f"The body cannot be unpacked as {name}: it is cut short.")
            size += len(part)
            if size > limit:
                raise _too_large(limit)
            share.take(len(part))
            parts.append(part)
        packed = _without_padding(packed)
        if not packed or name == "deflate":
            return b"".join(parts)
    raise HTTPException(400, f"The body is made of more than {_MAX_MEMBERS} members of {name}; pack it once.")


def _without_padding(packed: memoryview) -> memoryview:
    """What is behind zeros, which fill a last member up to a block and mean nothing (gzip(1))."""
    while packed and not packed[0]:
        piece = bytes(packed[:_PIECE_BYTES])
        packed = packed[len(piece) - len(piece.lstrip(b"\0")) :]
    return packed


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit} bytes; send smaller pieces.")

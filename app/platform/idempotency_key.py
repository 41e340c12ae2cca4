"""The header `Idempotency-Key` of requests that a bad line repeats; see `idempotency.once`."""

from __future__ import annotations

from typing import Annotated

from fastapi import Header

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="A value of your own, such as a UUID: the same request sent again has one effect.",
        examples=["5f0c2b9e-6f0e-4a55-9d53-0d1c5b6f3a10"],
    ),
]

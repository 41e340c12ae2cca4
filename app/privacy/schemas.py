"""What is asked and answered of personal data."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from app.platform.fields import PlainText
from app.platform.json import JsonObject
from app.platform.policies import InForceOut
from app.privacy.ages import RetentionDays
from app.privacy.drivers import Driver
from app.privacy.vocabulary import HoldSubject, RequestKind, RequestStatus, RetentionBasis


class _FromRow(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class RetentionRuleOut(_FromRow):
    """How long a table is kept."""

    table: str = Field(examples=["app.plate_read"])
    basis: RetentionBasis
    days: int | None
    parent: str
    reason: str


class RetentionDaysOut(InForceOut[RetentionDays]):
    """The days that administrators set; version 0 while nobody has."""


class NewHold(BaseModel):
    """A hold to place."""

    subject: str = Field(examples=["trip"])
    subject_id: int = Field(ge=1, le=2_147_483_647)
    reason: str = Field(max_length=500, examples=["Accident under investigation"])
    until: AwareDatetime


class HoldOut(_FromRow):
    """A hold."""

    hold_id: int
    subject: HoldSubject
    subject_id: int
    reason: str
    placed_by: int
    placed_at: datetime
    until: datetime
    ended_by: int | None
    ended_at: datetime | None


class DriverIn(BaseModel):
    """Who is meant: numbers of telephone and papers, and the name where a number is of several people."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"numbers": ["0912 345 678"]}]})

    numbers: list[Annotated[PlainText, Field(max_length=40)]] = Field(default_factory=list, max_length=6)
    name: PlainText = Field("", max_length=100)

    def who(self) -> Driver:
        """The person; raises InvalidInputError if nobody can be meant."""
        return Driver.of(self.numbers, self.name)


class DriverFound(_FromRow):
    """What is kept of a driver: under which names, on which trips, how many rows of what."""

    names: list[str]
    codes: list[str]
    counts: dict[str, int]


class NewRequest(BaseModel):
    """What is asked for a person's data: of an account, or of a `driver` who may have none.

    `changes` of a rectification: of an account `full_name`, `locale`; of a driver `full_name`, `phone`, `paper_number`,
    `licence_number`.
    """

    kind: str = Field(examples=["erasure"])
    account_id: int | None = Field(None, ge=1, le=2_147_483_647)
    driver: DriverIn | None = None
    reason: str = Field(max_length=500, examples=["The driver asked in writing"])
    changes: dict[str, str] | None = None

    @model_validator(mode="after")
    def _one_person(self) -> Self:
        if (self.account_id is None) is (self.driver is None):
            raise ValueError("Name an account, or a driver, not both.")
        return self

    def whose(self) -> int | Driver:
        """Whose data they are; raises InvalidInputError if nobody can be meant."""
        if self.driver is not None:
            return self.driver.who()
        assert self.account_id is not None
        return self.account_id


class Decision(BaseModel):
    """Whether a request is carried out; a refusal has a reason."""

    grant: bool
    reason: str = Field("", max_length=500)


class RequestOut(_FromRow):
    """A request, and what became of it: what was erased, and what is kept because of which law."""

    request_id: int
    kind: RequestKind
    account_id: int | None
    person_digest: str | None = Field(description="what stands for a driver without an account")
    reason: str
    status: RequestStatus
    asked_by: int
    asked_at: datetime
    decided_by: int | None
    decided_at: datetime | None
    decision_reason: str | None
    outcome: JsonObject | None

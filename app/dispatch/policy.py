"""What planners decide for the whole platform: the thresholds of the advice. Kept as one versioned value."""

from __future__ import annotations

from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.platform.labels import N_
from app.platform.policies import Policy


class AdvicePolicy(BaseModel):
    """When the platform warns and what it proposes. The defaults are assumed; planners set what they agree on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    queue_notice_km: float = Field(
        default=3.0,
        gt=0,
        le=200,
        title=N_("Queue: notice from kilometre"),
        description=N_("A queue that is forecast to reach this kilometre is a notice."),
    )
    queue_warning_km: float = Field(
        default=6.0,
        gt=0,
        le=200,
        title=N_("Queue: warning from kilometre"),
        description=N_("From this kilometre on it is a warning."),
    )
    queue_alarm_km: float = Field(
        default=10.0,
        gt=0,
        le=200,
        title=N_("Queue: alarm from kilometre"),
        description=N_("From this kilometre on it is an alarm."),
    )
    wait_notice_s: int = Field(
        default=3600,
        gt=0,
        le=7 * 86_400,
        title=N_("Wait: notice from"),
        description=N_("How bad a queue is depends on its length, its wait and its growth together."),
    )
    wait_warning_s: int = Field(
        default=2 * 3600,
        gt=0,
        le=7 * 86_400,
        title=N_("Wait: warning from"),
        description=N_("From this wait on it is a warning."),
    )
    wait_alarm_s: int = Field(
        default=4 * 3600,
        gt=0,
        le=7 * 86_400,
        title=N_("Wait: alarm from"),
        description=N_("From this wait on it is an alarm."),
    )
    fast_growth_veh_per_h: float = Field(
        default=60.0,
        gt=0,
        le=5000,
        title=N_("A queue grows fast from, trucks an hour"),
        description=N_("Growing as fast makes it half a step worse, shrinking as fast half a step better."),
    )
    yard_warning_share: float = Field(
        default=0.9,
        gt=0,
        le=2,
        title=N_("Yard: warning when this full"),
        description=N_("A yard this full is a warning."),
    )
    yard_alarm_share: float = Field(
        default=1.0, gt=0, le=2, title=N_("Yard: alarm when this full"), description=N_("A yard this full is an alarm.")
    )
    left_at_closing_veh: int = Field(
        default=20,
        ge=1,
        le=10_000,
        title=N_("Warn of trucks left at closing, from"),
        description=N_("Trucks that would still wait when the gate closes."),
    )
    likely: float = Field(
        default=0.5,
        gt=0,
        lt=1,
        title=N_("Advise when at least this probable"),
        description=N_("A risk at least this probable is advised."),
        json_schema_extra={"unit": "%"},
    )
    sure: float = Field(
        default=0.8,
        gt=0,
        lt=1,
        title=N_("Name the time when this probable"),
        description=N_("The time named is when this is reached."),
        json_schema_extra={"unit": "%"},
    )
    keep: float = Field(
        default=0.3,
        gt=0,
        lt=1,
        title=N_("Withdraw below this probability"),
        description=N_("Advice stands down to this probability."),
        json_schema_extra={"unit": "%"},
    )
    clear_after_s: int = Field(
        default=600,
        ge=0,
        le=7200,
        title=N_("Withdraw after so long below"),
        description=N_("And has stayed below it for so long."),
    )
    divert_margin_s: int = Field(
        default=2700,
        ge=0,
        le=86_400,
        title=N_("Divert if the other gate is faster by"),
        description=N_("By how much the other gate's wait is shorter."),
    )
    release_per_half_hour_veh: int = Field(
        default=30,
        ge=1,
        le=1000,
        title=N_("Release per half hour, at most"),
        description=N_("At most so many trucks are let go in half an hour."),
    )
    perishable_weight: float = Field(
        default=2.0,
        ge=1,
        le=20,
        title=N_("An hour of perishable goods counts"),
        description=N_("So many times as much as an hour of other goods, when acts are compared."),
    )
    hold_veh: int = Field(
        default=150,
        ge=1,
        le=5000,
        title=N_("Held by one order, at most"),
        description=N_("At most so many trucks are held by one order."),
    )

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if not self.queue_notice_km <= self.queue_warning_km <= self.queue_alarm_km:
            raise ValueError("The kilometres of notice, warning and alarm must not fall.")
        if not self.wait_notice_s <= self.wait_warning_s <= self.wait_alarm_s:
            raise ValueError("The waits of notice, warning and alarm must not fall.")
        if not self.keep <= self.likely <= self.sure:
            raise ValueError("keep, likely and sure must not fall: advice would come and go.")
        if self.yard_warning_share > self.yard_alarm_share:
            raise ValueError("A yard's warning cannot come after its alarm.")
        return self


POLICY: Final = Policy("advice", AdvicePolicy, "settings.policy")

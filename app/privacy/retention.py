"""How long each table is kept, and why: one rule a table; a test walks the database and fails for one without.

Sources: Law on Personal Data Protection 91/2025/QH15 (storage no longer than the purpose), Decree 13/2023/ND-CP;
Customs Law 54/2014/QH13, article 18 and Decree 08/2015/ND-CP, article 16 (customs dossiers five years); Accounting Law
88/2015/QH13, article 41 and Decree 174/2016/ND-CP, article 13 (accounting documents ten years).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from app.platform.labels import N_
from app.privacy.vocabulary import RetentionBasis

YEAR_DAYS: Final = 366
CUSTOMS_DAYS: Final = 5 * YEAR_DAYS
ACCOUNTING_DAYS: Final = 10 * YEAR_DAYS


@dataclass(frozen=True)
class RetentionRule:
    """What becomes of the rows of a table.

    `days` is how old a row may become by its `column` (of the parent's, where it goes with one); `parent` the table
    it goes with; `kept_by` the module that deletes where a feature does; `needs` a column that must be set before a
    row may go; `subject` what people call what stands in it, `called` the table by itself where people set its days:
    gettext keys.
    """

    table: str
    basis: RetentionBasis
    reason: str
    days: int | None = None
    column: str = ""
    parent: str = ""
    kept_by: str = ""
    needs: str = ""
    set_by: str = ""
    subject: str = ""
    called: str = ""

    @property
    def can_be_set(self) -> bool:
        """Whether upkeep deletes by age, and people say how many days."""
        return self.basis in (RetentionBasis.AGE, RetentionBasis.TRIP)

    @property
    def has_days_to_set(self) -> bool:
        """Whether people say how many days, whoever deletes."""
        return self.can_be_set or self.table == ATTACHMENTS

    def kept_for(self, days: int) -> RetentionRule:
        """The rule with other days."""
        return replace(self, days=days)


_CUSTOMS = N_("customs dossiers, five years")
_ACCOUNTING = N_("accounting documents, ten years")
_WORK = N_("work of the day and complaints about it")
_EXCHANGE = N_(
    "work of the day and complaints about it; text messages to drivers for a week, unless settings name other days"
)
_MOVEMENTS = N_("movements of trucks, for complaints and learning")
_PLATFORM = N_("what the platform needs to run")
_EVIDENCE = N_("evidence of who did what")
_TRIPS = N_("Trips with all that is theirs")
_PAPERS = N_("Declarations, sheets, findings, transshipments")
_FEES = N_("Fees")
_TARIFFS = N_("Tariffs, receipt numbers, collecting accounts")
_YARDS = N_("Yards, zones, prices, expected events")
_EFFECTS = N_("Recipients and effects of them")
_PEOPLE = N_("Accounts, organisations, second factors")
_VEHICLES = N_("Vehicles, claims to them, powers of attorney")
_FIGURES = N_("Figures of days and hours")
_GATES = N_("Gates, roads, procedures, equipment")
INSTALLATION: Final = N_("Set for the whole installation (CUAKHAU_FIX_RETENTION_DAYS)")
ATTACHMENTS: Final = "app.attachment"


def _aged(table: str, column: str, days: int, reason: str, called: str, *, needs: str = "") -> RetentionRule:
    return RetentionRule(table, RetentionBasis.AGE, reason, days, column, needs=needs, called=called)


def _with(parent: str, reason: str, called: str, *tables: str) -> list[RetentionRule]:
    return [RetentionRule(table, RetentionBasis.PARENT, reason, parent=parent, called=called) for table in tables]


def _by(kept_by: str, days: int, reason: str, called: str, *tables: str, set_by: str = "") -> list[RetentionRule]:
    basis = RetentionBasis.FEATURE
    return [
        RetentionRule(table, basis, reason, days, kept_by=kept_by, set_by=set_by, called=called) for table in tables
    ]


def _kept(basis: RetentionBasis, reason: str, called: str, *tables: str) -> list[RetentionRule]:
    return [RetentionRule(table, basis, reason, called=called) for table in tables]


def _about(subject: str, *given: RetentionRule) -> list[RetentionRule]:
    return [replace(rule, subject=subject) for rule in given]


_RULES: Final = (
    *_about(
        N_("Trips: declarations, sheets, findings, files"),
        RetentionRule("app.trip", RetentionBasis.TRIP, _CUSTOMS, CUSTOMS_DAYS, "stage_since", called=_TRIPS),
        *_with("app.trip", _CUSTOMS, _PAPERS, "app.declaration", "app.trip_step", "app.trip_event", "app.trip_party"),
        *_with(
            "app.trip", _CUSTOMS, _PAPERS, "app.trip_place", "app.trip_vehicle_answer", "app.observation", "app.finding"
        ),
        *_with(
            "app.trip", _CUSTOMS, _PAPERS, "app.override", "app.correction", "app.priority_by_hand", "app.transshipment"
        ),
        *_with("app.trip", _CUSTOMS, _PAPERS, "app.outlook", "app.misdated_witness"),
        *_with("app.trip", _WORK, N_("Bookings"), "app.booking"),
        *_with("app.transshipment", _CUSTOMS, _PAPERS, "app.transshipment_move", "app.transshipment_receiver"),
        _aged("app.weighing", "received_at", CUSTOMS_DAYS, _CUSTOMS, N_("Weighings")),
        _aged("app.scan", "received_at", CUSTOMS_DAYS, _CUSTOMS, N_("Scans")),
        _aged("app.seal_event", "received_at", CUSTOMS_DAYS, _CUSTOMS, N_("Reports of seals")),
        *_by("app.attachments.service", 365, _WORK, N_("Attached files"), ATTACHMENTS),
        _aged("app.declaration_import", "created_at", YEAR_DAYS, _WORK, N_("Files of declarations taken in")),
        *_with("app.declaration_import", _WORK, N_("Rows of files of declarations"), "app.declaration_import_row"),
    ),
    *_about(
        N_("Fees and payments"),
        *_with("app.trip", _ACCOUNTING, _FEES, "app.fee"),
        *_with("app.fee", _ACCOUNTING, _FEES, "app.remittance_fee"),
        _aged("app.fee_release", "asked_at", ACCOUNTING_DAYS, _ACCOUNTING, N_("Waivers, refunds, corrections")),
        _aged("app.payment", "recorded_at", ACCOUNTING_DAYS, _ACCOUNTING, N_("Payments")),
        _aged("app.remittance", "created_at", ACCOUNTING_DAYS, _ACCOUNTING, N_("Remittances")),
        _aged("app.bank_transfer", "received_at", ACCOUNTING_DAYS, _ACCOUNTING, N_("Bank transfers")),
        *_with("app.bank_transfer", _ACCOUNTING, N_("Reports of banks"), "app.bank_report"),
        _aged("app.closing", "closed_at", ACCOUNTING_DAYS, _ACCOUNTING, N_("Closings of accounts")),
        *_kept(
            RetentionBasis.SETTINGS, _ACCOUNTING, _TARIFFS, "app.receipt_series", "app.collecting_account", "app.tariff"
        ),
        *_kept(RetentionBasis.SETTINGS, _PLATFORM, N_("Connections to banks"), "app.bank_gateway"),
    ),
    *_about(
        N_("Where trucks were seen"),
        *_by(
            "ingest.fix_store",
            30,
            _MOVEMENTS,
            N_("Positions of trucks"),
            "ingest.fix",
            "ingest.last_position",
            "ingest.device_trait",
            set_by=INSTALLATION,
        ),
        *_by("app.trips.progress", 30, _MOVEMENTS, N_("What GPS showed of trips"), "app.trip_sight"),
        _aged("ingest.site_event", "time", 180, _MOVEMENTS, N_("Arrivals at sites and departures")),
        _aged("ingest.faked_fix", "received_at", 30, _MOVEMENTS, N_("Positions taken for false")),
        _aged("app.plate_read", "received_at", 180, _MOVEMENTS, N_("Plates read by cameras")),
        _aged("app.undeclared_sighting", "seen_at", 180, _WORK, N_("Plates seen without a declaration")),
        _aged("app.undeclared_arrival", "arrived_at", 2 * YEAR_DAYS, _WORK, N_("Trucks that came undeclared")),
        *_by("app.trip_eta.queue", 1, _MOVEMENTS, N_("Places in the queue"), "app.queue_place"),
        _aged("app.driving_spell", "moved_at", 30, _WORK, N_("Driving times")),
    ),
    *_about(
        N_("GPS devices"),
        _aged("ingest.way_to_retrace", "until", 30, _PLATFORM, N_("Ways to be worked out again")),
        _aged("ingest.dead_letter", "died_at", 90, _PLATFORM, N_("Positions that could not be stored")),
        _aged("ingest.device_refusal", "last_at", 90, _PLATFORM, N_("Refused reports of devices")),
        _aged("ingest.device", "revoked_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Withdrawn devices"), needs="revoked_at"),
        *_by("app.tracking.signals", 90, _WORK, N_("What devices report of themselves"), "app.device_event"),
        *_by("app.tracking.commands", 90, _WORK, N_("Commands to devices"), "app.device_command"),
    ),
    *_about(
        N_("Yards and who stood there"),
        _aged("capacity.movement", "time", YEAR_DAYS, _MOVEMENTS, N_("Entries to yards and exits")),
        _aged("capacity.count", "time", YEAR_DAYS, _WORK, N_("Counts of trucks in yards")),
        _aged("capacity.closure", "until", 2 * YEAR_DAYS, _WORK, N_("Closures of yards that are over"), needs="until"),
        *_by(
            "capacity.store",
            1,
            _MOVEMENTS,
            N_("Who stands in yards, and for whom places are kept"),
            "capacity.presence",
            "capacity.assignment",
        ),
        *_by("capacity.store", 30, _MOVEMENTS, N_("Yard plans"), "capacity.plan"),
        *_by("app.reporting.bulletin", 62, _WORK, N_("Times that trucks spent at gates"), "app.stay"),
        *_kept(
            RetentionBasis.STATE,
            _PLATFORM,
            N_("Free places, usual stays"),
            "app.forecast_track",
            "app.stay_estimate",
            "capacity.yard_state",
        ),
        *_kept(RetentionBasis.SETTINGS, _PLATFORM, _YARDS, "capacity.yard", "app.demand_event"),
        *_kept(RetentionBasis.SETTINGS, _PLATFORM, _YARDS, "capacity.zone", "capacity.zone_places", "capacity.price"),
    ),
    *_about(
        N_("Work of the stations"),
        _aged("app.step_day", "day", 3 * YEAR_DAYS, _WORK, N_("Figures of steps by day")),
        _aged("app.barrier_command", "requested_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Orders to barriers")),
        _aged("app.shift_handover", "handed_at", 2 * YEAR_DAYS, _WORK, N_("Shift handovers")),
    ),
    *_about(
        N_("Orders, advice, messages"),
        _aged("app.dispatch_order", "issued_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Orders to trucks")),
        *_with("app.dispatch_order", _EVIDENCE, _EFFECTS, "app.order_recipient", "app.order_effect"),
        _aged("app.reach_message", "made_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Messages to drivers")),
        _aged("app.advisory", "made_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Advice")),
        _aged("app.advice_telling", "told_at", 30, _WORK, N_("Wordings of advice")),
        *_with("app.advisory", _EVIDENCE, _EFFECTS, "app.advice_outcome", "app.tried_measures"),
        *_by(
            "app.notifications.service",
            30,
            _WORK,
            N_("Notifications, calls of webhooks"),
            "app.notification",
            "app.webhook_delivery",
        ),
    ),
    *_about(
        N_("Accounts and sign-in"),
        _aged("app.session", "expires_at", 30, _EVIDENCE, N_("Sessions that ended")),
        *_kept(RetentionBasis.ACCOUNT, _EVIDENCE, _PEOPLE, "app.account", "app.organisation", "app.consent"),
        *_kept(RetentionBasis.ACCOUNT, _EVIDENCE, _PEOPLE, "app.authenticator_app", "app.passkey", "app.recovery_code"),
        *_kept(RetentionBasis.ACCOUNT, _EVIDENCE, _PEOPLE, "app.provider_identity"),
        *_kept(RetentionBasis.ACCOUNT, _WORK, N_("Browsers that get push messages"), "app.push_subscription"),
        _aged(
            "app.factor_reset", "decided_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Second factors reset"), needs="decided_at"
        ),
    ),
    *_about(
        N_("Vehicles, drivers and papers on file"),
        _aged("app.expiry_warning", "warned_at", 2 * YEAR_DAYS, _WORK, N_("Warnings of what expires")),
        *_kept(
            RetentionBasis.ACCOUNT, _EVIDENCE, _VEHICLES, "app.power_of_attorney", "app.vehicle_holding", "app.webhook"
        ),
        *_kept(RetentionBasis.ACCOUNT, _EVIDENCE, _VEHICLES, "ingest.vehicle"),
        _aged(
            "app.position_forwarding", "ended_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Ended forwardings"), needs="ended_at"
        ),
        _aged("app.registered_vehicle", "removed_at", YEAR_DAYS, _WORK, N_("Vehicles removed"), needs="removed_at"),
        _aged("app.registered_driver", "removed_at", YEAR_DAYS, _WORK, N_("Drivers removed"), needs="removed_at"),
        _aged("app.registered_container", "removed_at", YEAR_DAYS, _WORK, N_("Containers removed"), needs="removed_at"),
        _aged("app.registered_document", "removed_at", YEAR_DAYS, _WORK, N_("Papers removed"), needs="removed_at"),
        *_kept(RetentionBasis.ACCOUNT, _EVIDENCE, _VEHICLES, "app.vehicle_claim"),
    ),
    *_about(
        N_("Requests about personal data"),
        _aged(
            "app.privacy_request", "decided_at", 5 * YEAR_DAYS, _EVIDENCE, N_("Decided requests"), needs="decided_at"
        ),
        _aged("app.legal_hold", "ended_at", 5 * YEAR_DAYS, _EVIDENCE, N_("Legal holds that ended"), needs="ended_at"),
    ),
    *_about(
        N_("Who did what (audit log)"),
        *_kept(RetentionBasis.CHAIN, _EVIDENCE, N_("Each act, before and after"), "app.audit", "app.audit_head"),
    ),
    *_about(
        N_("Forecasts, studies, figures"),
        *_by(
            "routing.store",
            14,
            _PLATFORM,
            N_("Forecasts"),
            "routing.forecast",
            "routing.forecast_gate",
            "routing.forecast_yard",
        ),
        *_by(
            "app.forecasting.skill_scoring", 2, _PLATFORM, N_("What forecasts are compared with"), "app.forecast_check"
        ),
        *_by("app.forecasting.skill_scoring", 60, _PLATFORM, N_("How right forecasts were"), "app.forecast_skill"),
        *_kept(RetentionBasis.FIGURES, _PLATFORM, _FIGURES, "app.bulletin", "app.day_figure", "app.arrival_hour"),
        *_kept(RetentionBasis.FIGURES, _PLATFORM, _FIGURES, "routing.queue_observation"),
        *_kept(RetentionBasis.STATE, _PLATFORM, N_("Pace learned of gates"), "app.learned_pace"),
        _aged("app.public_gate", "slot", 2 * YEAR_DAYS, _PLATFORM, N_("Public figures of gates")),
        _aged("app.public_yard", "slot", 2 * YEAR_DAYS, _PLATFORM, N_("Public figures of yards")),
        _aged("app.public_forecast", "slot", 2 * YEAR_DAYS, _PLATFORM, N_("Public forecasts")),
        _aged("routing.scenario_run", "created_at", 2 * YEAR_DAYS, _WORK, N_("Studies")),
        _aged("routing.calibration", "made_at", 3 * YEAR_DAYS, _PLATFORM, N_("Calibrations")),
    ),
    *_about(
        N_("Exchange with neighbouring systems"),
        *_by("app.integrations.service", 90, _EXCHANGE, N_("Messages sent"), "app.neighbour_outbox"),
        *_by("app.integrations.service", 90, _WORK, N_("Messages received"), "app.neighbour_inbox"),
        *_kept(RetentionBasis.STATE, _PLATFORM, N_("How neighbouring systems do"), "app.neighbour"),
        *_with("app.trip", _CUSTOMS, N_("What customs said of trips"), "app.trip_customs", "app.neighbour_difference"),
        _aged("app.customs_declaration", "as_of", CUSTOMS_DAYS, _CUSTOMS, N_("Customs declarations")),
        _aged("app.vehicle_record", "as_of", YEAR_DAYS, _WORK, N_("Answers of the vehicle register")),
        _aged("app.export_exchange", "issued_at", CUSTOMS_DAYS, _CUSTOMS, N_("Exports told and heard")),
        _aged("app.export_reconciliation", "asked_at", YEAR_DAYS, _WORK, N_("Comparisons of exports by day")),
        _aged("app.prefilled_declaration", "changed_at", CUSTOMS_DAYS, _CUSTOMS, N_("Pre-filled declarations")),
    ),
    *_about(
        N_("Settings, gates, roads"),
        *_kept(
            RetentionBasis.SETTINGS, _PLATFORM, _GATES, "app.policy", "app.procedure", "app.equipment", "ingest.gateway"
        ),
        *_kept(
            RetentionBasis.SETTINGS, _PLATFORM, _GATES, "app.gate_profile", "app.gate_served_place", "app.gate_notice"
        ),
        *_kept(RetentionBasis.SETTINGS, _PLATFORM, _GATES, "geo.corridor", "geo.road", "geo.site", "geo.geofence"),
    ),
    *_about(
        N_("Running of the platform"),
        _aged("app.outbox", "at", 30, _PLATFORM, N_("Events passed on"), needs="relayed_at"),
        *_by(
            "app.platform.idempotency", 7, _PLATFORM, N_("Answers to requests that may be repeated"), "app.idempotency"
        ),
        _aged("app.alarm", "ended_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Alarms that ended"), needs="ended_at"),
        _aged("app.backup", "ended_at", 2 * YEAR_DAYS, _EVIDENCE, N_("Notes of backups")),
        *_kept(RetentionBasis.SETTINGS, _PLATFORM, N_("Key of push messages"), "app.push_key"),
        *_kept(
            RetentionBasis.STATE,
            _PLATFORM,
            N_("How far events are passed on"),
            "app.event_feed",
            "capacity.feed",
            "app.shared_fact",
        ),
    ),
)
_SHIPPED: Final = {rule.table: rule for rule in _RULES}


def rules(days: Mapping[str, int] | None = None) -> tuple[RetentionRule, ...]:
    """The rule of each table, with the days that are set: of tables that are deleted by age, and of what features keep
    for as long as somebody says.

    What the law wants kept is kept at least as long, whatever is set.
    """
    set_days = days or {}

    def in_force(rule: RetentionRule) -> RetentionRule:
        if rule.table not in set_days or not (rule.has_days_to_set or rule.set_by):
            return rule
        return rule.kept_for(max(set_days[rule.table], least_days(rule.table)))

    return tuple(map(in_force, _RULES))


def least_days(table: str) -> int:
    """The fewest days that can be set for a table: what a law wants it kept, or one."""
    rule = _SHIPPED[table]
    return (rule.days or 1) if rule.reason in (_CUSTOMS, _ACCOUNTING) else 1


@dataclass(frozen=True)
class KeptTerm:
    """Data of a subject that are kept alike: how long, how they go, why (gettext key), and the rules of their tables.

    `least_days` is the fewest days that can be set, `None` where nobody sets them.
    """

    days: int | None
    basis: RetentionBasis
    reason: str
    least_days: int | None
    rules: Sequence[RetentionRule]

    @property
    def called(self) -> Sequence[str]:
        """What the tables are called, each name once."""
        return tuple(dict.fromkeys(rule.called for rule in self.rules))


@dataclass(frozen=True)
class KeptSubject:
    """What people call some data, and how the tables with them are kept."""

    subject: str
    terms: Sequence[KeptTerm]


def by_subject(given: Sequence[RetentionRule]) -> list[KeptSubject]:
    """Rules as people ask for them: what is kept, for how long and why.

    Tables that are shipped with other days stay apart when they are set to the same, so that they can be set apart
    again.
    """
    found: dict[str, dict[tuple[object, ...], list[RetentionRule]]] = {}
    for rule in given:
        alike = (rule.days, rule.basis, rule.reason, rule.set_by, rule.has_days_to_set and _SHIPPED[rule.table].days)
        found.setdefault(rule.subject, {}).setdefault(alike, []).append(rule)
    return [KeptSubject(subject, [_term(each) for each in terms.values()]) for subject, terms in found.items()]


def _term(alike: Sequence[RetentionRule]) -> KeptTerm:
    first = alike[0]
    least = max(least_days(rule.table) for rule in alike) if first.has_days_to_set else None
    return KeptTerm(first.days, first.basis, first.reason, least, alike)

"""The simulated Single Window and Nanning customs: take exports, acknowledge them, send exports of their own.

Every second export that arrives brings another back: a truck from Guangxi with goods for whoever exported, changed or
taken back now and then. What is made up follows from the seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from app.integrations.export_messages import (
    NANNING,
    ROUTES,
    SINGLE_WINDOW,
    DayEntry,
    DayList,
    DayQuery,
    ExportData,
    ExportReceipt,
)
from app.integrations.forms.record import (
    Container,
    DeclarationMessage,
    GoodsLine,
    Packaging,
    Party,
    Seal,
    TransportMeans,
)
from app.integrations.messages import Body, Message, read_body
from app.integrations.simulators.storage import Planned, Storage
from app.platform.json import JsonObject
from geo.clock import LOCAL_ZONE, Clock
from geo.errors import InvalidInputError

GOODS: Final = (("鲜梨", "080830"), ("大蒜", "070320"), ("富士苹果", "080810"), ("女式棉布衬衫", "620630"))
BACK_S: Final = (5.0, 40.0)
"""How long after an export another comes back, s."""
LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ"


@dataclass(frozen=True)
class ExportScript:
    """One of the two; `makes_exports` says whether exports come back."""

    seed: int = 0
    name: str = NANNING
    makes_exports: bool = True

    def answer(self, storage: Storage, message: Message, clock: Clock, _generator: random.Random) -> Sequence[Planned]:
        """A receipt of an export, and perhaps another export; the list of a day."""
        match message.kind:
            case ExportData.KIND:
                return list(self._take(message, clock))
            case DayQuery.KIND:
                query = read_body(DayQuery, message.body)
                assert isinstance(query, DayQuery)
                return [self._say(message.id, clock, self._list(storage, query.day), f"{query.day}")]
            case ExportReceipt.KIND:
                return []
            case kind:
                raise InvalidInputError("There is no message {kind}.", kind=kind)

    def _take(self, message: Message, clock: Clock) -> Iterator[Planned]:
        record = _record(message.body)
        receipt = ExportReceipt(reference=record.reference, version=record.version or 0)
        yield self._say(message.id, clock, receipt, record.reference)
        generator = random.Random(f"{self.seed} {self.name} {record.reference}")
        if self.makes_exports and record.function == "original" and generator.random() < 0.5:
            yield from self._back(message, clock, record, generator)

    def _back(
        self, message: Message, clock: Clock, record: DeclarationMessage, generator: random.Random
    ) -> Iterator[Planned]:
        after_s = generator.uniform(*BACK_S)
        made = make_export(generator, clock, consignee=record.exporter.name, gate=record.exit_office)
        yield self._say(message.id, clock, self.data(made), made.reference, after_s=after_s)
        fate = generator.random()
        if fate < 0.3:
            line = made.lines[0]
            changed = replace(line, net_weight_kg=(line.net_weight_kg or Decimal(0)) - 500)
            newer = replace(made, function="replacement", version=2, lines=(changed, *made.lines[1:]))
            yield self._say(message.id, clock, self.data(newer), made.reference, after_s=2 * after_s, version=2)
        elif fate < 0.4:
            ended = replace(made, function="cancellation", version=2)
            yield self._say(message.id, clock, self.data(ended), made.reference, after_s=2 * after_s, version=2)

    def data(self, record: DeclarationMessage) -> ExportData:
        """An export in this neighbour's syntax."""
        return ExportData.of(record, ROUTES[self.name])

    def keep(self, storage: Storage, key: str, data: JsonObject, clock: Clock) -> Sequence[Planned]:
        """Export under a reference, or say another version of it: `consignee gate plate function` are as told."""
        known = storage.find_record(key) or {}
        version = int(str(known.get("version", 0))) + 1
        told = {**known, **data, "version": version}
        storage.keep_record(key, {name: value for name, value in told.items() if name != "function"})
        made = make_export(
            random.Random(f"{self.seed} {key}"),
            clock,
            consignee=str(told.get("consignee", "")),
            gate=str(told.get("gate", "huu-nghi")),
            reference=key,
        )
        said = replace(
            made,
            function=str(told.get("function", "original" if version == 1 else "replacement")),
            version=version,
            tractor=TransportMeans(str(told.get("plate", made.tractor.plate)), "CN"),
        )
        return [self._say(None, clock, self.data(said), key, version=version)]

    def _say(
        self, reply_to: str | None, clock: Clock, body: Body, about: str, *, after_s: float = 0.0, version: int = 1
    ) -> Planned:
        said = Message(
            id=f"{self.name}-{reply_to or about}-{body.KIND}-{version}",
            kind=body.KIND,
            about=about,
            sent_at=clock.now(),
            reply_to=reply_to,
            version=version,
            body=body.model_dump(mode="json"),
        )
        return Planned(said, after_s)

    def _list(self, storage: Storage, day: date) -> DayList:
        received = [_record(body) for body in storage.acts(ExportData.KIND)]
        sent = [_record(message.body) for message in storage.said(ExportData.KIND)]
        return DayList(day=day, sent=_entries(sent, day), received=_entries(received, day))


def single_window(seed: int) -> ExportScript:
    """The simulated Single Window: takes our exports, and hands on what Nanning customs say."""
    return ExportScript(seed, SINGLE_WINDOW)


def nanning(seed: int) -> ExportScript:
    """The simulated customs of Nanning on a line of their own; exports come back by the Single Window."""
    return ExportScript(seed, NANNING, makes_exports=False)


def make_export(
    generator: random.Random, clock: Clock, *, consignee: str, gate: str, reference: str = ""
) -> DeclarationMessage:
    """An export of the other side, made up: a truck of Guangxi with goods for `consignee`."""
    number = generator.randint(0, 10**10)
    net_kg = Decimal(generator.randrange(8_000, 22_000, 250))
    description, hs_code = generator.choice(GOODS)
    plate = f"桂{generator.choice('AFN')}·{generator.choice(LETTERS)}{generator.randint(1000, 9999)}"
    return DeclarationMessage(
        function="original",
        reference=reference or f"NN{number:011d}",
        number=f"72032026{number:010d}"[:18],
        issued_at=clock.now().replace(microsecond=0),
        type="EX",
        version=1,
        items=1,
        tractor=TransportMeans(plate, "CN"),
        border_mode="3",
        planned_arrival=(clock.now() + timedelta(hours=generator.randint(4, 30))).replace(microsecond=0),
        trailer=TransportMeans(f"桂F·{generator.randint(1000, 9999)}挂", "CN"),
        exit_office=gate,
        exporter=Party(name="凭祥市模拟进出口有限公司", city="凭祥", country="CN"),
        consignee=Party(name=consignee, country="VN"),
        in_container=True,
        containers=(Container("CSQU3054383", "45R1", (Seal(f"CN{generator.randint(10**6, 10**7 - 1)}"),)),),
        destination="VN",
        export_country="CN",
        lines=(
            GoodsLine(
                description=description,
                hs_code=hs_code,
                gross_weight_kg=net_kg + 1500,
                net_weight_kg=net_kg,
                quantity=net_kg,
                unit="KGM",
                origin="CN",
                packagings=(Packaging("N/M", int(net_kg) // 20, "CT"),),
            ),
        ),
    )


def _record(body: object) -> DeclarationMessage:
    data = read_body(ExportData, body)
    assert isinstance(data, ExportData)
    return data.record()


def _entries(records: Sequence[DeclarationMessage], day: date) -> list[DayEntry]:
    found: dict[str, int] = {}
    for record in records:
        if record.issued_at is not None and record.issued_at.astimezone(LOCAL_ZONE).date() == day:
            found[record.reference] = max(record.version or 0, found.get(record.reference, 0))
    return [DayEntry(reference=reference, version=version) for reference, version in sorted(found.items())]

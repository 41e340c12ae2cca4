"""Declarations in messages: WCO DEC in XML and JSON, by a table that is data."""

from __future__ import annotations

import json
import random
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.integrations.forms import codec, table, tree
from app.integrations.forms.mapping import parse_time
from app.integrations.forms.record import (
    Container,
    DeclarationMessage,
    GoodsLine,
    Packaging,
    Party,
    Procedure,
    Seal,
    TransportMeans,
)
from app.integrations.forms.schema import json_schema
from docs.make_forms import FORMS, TARGET, page, schema_path, schema_text
from geo.errors import InvalidInputError, MalformedError, RefusedError
from tests.profiles import examples

DEC = table.load()
SYNTAXES = ("xml", "json")
PEARS = DeclarationMessage(
    function="original",
    reference="NN-2026-000017",
    number="720320260000000017",
    issued_at=datetime(2026, 3, 2, 8, 30, tzinfo=UTC),
    type="EX",
    version=1,
    tractor=TransportMeans("桂F·A1234", "CN"),
    border_mode="3",
    trailer=TransportMeans("桂F·1234挂", "CN"),
    exporter=Party(name="凭祥市边境贸易有限公司", number="91451481MA5K", city="凭祥", country="CN"),
    consignee=Party(name="Công ty Nông sản Lạng Sơn", number="4900123456", country="VN"),
    in_container=True,
    containers=(Container("CSQU3054383", "45R1", (Seal("CN0012345"), Seal("CN0012346"))),),
    destination="VN",
    export_country="CN",
    lines=(
        GoodsLine(
            description="鲜梨",
            hs_code="080830",
            tariff_code="0808309000",
            gross_weight_kg=Decimal("19500.50"),
            net_weight_kg=Decimal("18000"),
            quantity=Decimal("18000"),
            unit="KGM",
            procedures=(Procedure("10", "00"),),
            origin="CN",
            packagings=(Packaging("N/M", 900, "CT"),),
        ),
        GoodsLine(description="大蒜", hs_code="070320", net_weight_kg=Decimal(200)),
    ),
)

# What other countries' customs send: prefixes, an envelope or none, extensions of their own, elements we have no field
# for. The shapes are those of the public examples of CDS and DMS; the values are ours.
BRITISH = """<md:MetaData
 xmlns:md="urn:wco:datamodel:WCO:DocumentMetaData-DMS:2" xmlns="urn:wco:datamodel:WCO:DEC-DMS:2"
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="urn:wco:datamodel:WCO:DEC-DMS:2 DEC.xsd">
  <md:WCODataModelVersionCode>3.6</md:WCODataModelVersionCode>
  <md:ResponsibleAgencyName>Somebody</md:ResponsibleAgencyName>
  <Declaration>
    <!-- the function -->
    <FunctionCode>9</FunctionCode>
    <FunctionalReferenceID>A1</FunctionalReferenceID>
    <TypeCode>EXA</TypeCode>
    <InvoiceAmount currencyID="GBP">100.00</InvoiceAmount>
    <BorderTransportMeans><ID>A SHIP</ID><IdentificationTypeCode>11</IdentificationTypeCode><ModeCode>1</ModeCode>
    </BorderTransportMeans>
    <GoodsShipment>
      <GovernmentAgencyGoodsItem>
        <SequenceNumeric>1</SequenceNumeric>
        <Commodity>
          <Description>Tea</Description>
          <Classification><ID>09024000</ID><IdentificationTypeCode>TSP</IdentificationTypeCode></Classification>
          <Classification><ID>1000</ID><IdentificationTypeCode>TRA</IdentificationTypeCode></Classification>
          <GoodsMeasure><GrossMassMeasure>20.5</GrossMassMeasure><TariffQuantity>20</TariffQuantity></GoodsMeasure>
        </Commodity>
        <GovernmentProcedure><CurrentCode>10</CurrentCode><PreviousCode>40</PreviousCode></GovernmentProcedure>
        <GovernmentProcedure><CurrentCode>1CG</CurrentCode></GovernmentProcedure>
        <Packaging><SequenceNumeric>1</SequenceNumeric><MarksNumbersID>M</MarksNumbersID><TypeCode>4C</TypeCode></Packaging>
      </GovernmentAgencyGoodsItem>
    </GoodsShipment>
  </Declaration>
</md:MetaData>"""
DANISH = """<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<ns3:Declaration xmlns="urn:wco:datamodel:WCO:Declaration_DS:DMS:2"
 xmlns:ns2="urn:wco:datamodel:WCO:WCO_DEC_EDS_METADATA:1"
 xmlns:ns3="urn:wco:datamodel:WCO:DEC-DMS:2">
  <ns3:EDSMetaData><ns2:FunctionCode>77</ns2:FunctionCode></ns3:EDSMetaData>
  <ns2:FunctionCode>77</ns2:FunctionCode>
  <ns3:FunctionCode>9</ns3:FunctionCode>
  <ns3:FunctionalReferenceID>B2</ns3:FunctionalReferenceID>
  <ns3:IssueDateTime><DateTimeString formatCode="304">20231128093604+01</DateTimeString></ns3:IssueDateTime>
  <ns3:GoodsShipment>
    <ns3:Consignment>
      <ns3:ContainerCode>1</ns3:ContainerCode>
      <ns3:TransportEquipment><ns3:SequenceNumeric>1</ns3:SequenceNumeric><ns3:ID>MAEU5001006</ns3:ID>
        <ns3:Seal><ns3:SequenceNumeric>1</ns3:SequenceNumeric><ns3:ID>ab12</ns3:ID></ns3:Seal></ns3:TransportEquipment>
    </ns3:Consignment>
  </ns3:GoodsShipment>
</ns3:Declaration>"""


def problems(body: str | bytes) -> dict[str, InvalidInputError]:
    """What is wrong with a message, by path."""
    with pytest.raises(RefusedError) as refused:
        codec.read(body.encode() if isinstance(body, str) else body)
    return {str(problem.field): problem for problem in refused.value.problems}


def changed(path: str, value: object) -> bytes:
    """The pears as JSON with another value at a path such as `GoodsShipment/GovernmentAgencyGoodsItem/1/Commodity`."""
    document: Any = json.loads(codec.write(PEARS, "json"))
    *above, last = path.split("/")
    node = document["Declaration"]
    for name in above:
        node = node[int(name) if name.isdigit() else name]
    node[last] = value
    return json.dumps(document).encode()


# Without loss


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_what_is_written_is_read_again(syntax: codec.Syntax) -> None:
    assert codec.read(codec.write(PEARS, syntax)) == PEARS


def test_chinese_plates_and_names_stand_in_the_message_as_they_are() -> None:
    for syntax in SYNTAXES:
        written = codec.write(PEARS, syntax).decode()
        for text in ("桂F·A1234", "桂F·1234挂", "凭祥市边境贸易有限公司", "鲜梨", "Công ty Nông sản Lạng Sơn"):
            assert text in written


SIGNS = st.sampled_from("桂粤挂港澳·鲜梨鮮ÁắđĐıİßſＡａ１㈱カ\u3000<&>\"' e\u0301") | st.characters(
    exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff"
)
TEXTS = st.text(SIGNS, max_size=12).map(tree.tidy)
LENGTHS = {"country": 2, "destination": 2, "export_country": 2, "border_mode": 1, "type": 3, "size_type": 4}
LENGTHS |= {"origin": 2, "postcode": 9, "current": 7, "previous": 7, "unit": 8, "un_number": 4, "hazard_class": 7}


@st.composite
def any_record(draw: st.DrawFn) -> DeclarationMessage:
    """Any record: every field of the table, of its kind, within its limits, out of a few texts and numbers."""
    texts = draw(st.lists(TEXTS, min_size=3, max_size=6))
    chance = random.Random(draw(st.integers(0, 2**32)))

    def value(name: str, hint: Any) -> Any:
        arguments = get_args(hint)
        if arguments and arguments[-1] is Ellipsis:
            return tuple(record(arguments[0]) for _ in range(chance.randint(0, 2)))
        if is_dataclass(hint):
            return record(hint)
        if name == "function":
            return chance.choice(list(DEC.codes["function"].names))
        if hint is str:
            text = chance.choice(texts)[: LENGTHS.get(name, 12)].strip(" ")
            return text or "R" if name == "reference" else text
        made = {
            int: chance.choice([0, 1, 999_999_999]),
            bool: chance.random() < 0.5,
            Decimal: Decimal(chance.randint(-(10**12), 10**12)).scaleb(-chance.randint(0, 6)),
            datetime: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randint(0, 10**9)),
        }[arguments[0]]
        return chance.choice([made, made, None])

    def record(kind: Any) -> Any:
        return kind(**{name: value(name, hint) for name, hint in get_type_hints(kind).items()})

    found = record(DeclarationMessage)
    assert isinstance(found, DeclarationMessage)
    return found


@given(record=any_record())
@examples(300)
def test_any_declaration_is_read_again_as_it_was_written(record: DeclarationMessage) -> None:
    for syntax in SYNTAXES:
        assert codec.read(codec.write(record, syntax)) == record


@given(text=TEXTS)
@examples(300)
def test_no_letter_changes_but_into_its_composed_form(text: str) -> None:
    record = replace(PEARS, tractor=TransportMeans(plate=text[:12], country="CN"))
    assert codec.read(codec.write(record)).tractor.plate == tree.tidy(text[:12])


def test_each_field_of_the_record_has_its_place_in_the_table() -> None:
    placed = {place.fields for place in table.places(DEC)}
    assert placed == set(_leaves(DeclarationMessage, ()))


def _leaves(record: type, above: tuple[str, ...]) -> list[tuple[str, ...]]:
    found = []
    hints = get_type_hints(record)
    for field in fields(record):
        hint = hints[field.name]
        arguments = get_args(hint)
        inner = arguments[0] if arguments and arguments[-1] is Ellipsis else hint
        here = (*above, field.name)
        found += _leaves(inner, here) if is_dataclass(inner) and isinstance(inner, type) else [here]
    return found


# What others write


def test_british_declarations_are_read() -> None:
    found = codec.read(BRITISH.encode())
    line = found.lines[0]
    assert (found.function, found.reference, found.type, found.border_mode) == ("original", "A1", "EXA", "1")
    assert found.tractor == TransportMeans(), "a ship is no tractor"
    assert (line.description, line.tariff_code, line.hs_code) == ("Tea", "09024000", "")
    assert (line.gross_weight_kg, line.quantity) == (Decimal("20.5"), Decimal(20))
    assert line.procedures == (Procedure("10", "40"), Procedure("1CG"))
    assert line.packagings == (Packaging("M", None, "4C"),)
    assert DEC.name_of("packaging", line.packagings[0].type) == "box"
    assert codec.read(codec.write(found)) == found


def test_danish_declarations_are_read_without_what_is_of_other_namespaces() -> None:
    found = codec.read(DANISH.encode())
    assert (found.function, found.reference) == ("original", "B2")
    assert found.issued_at == datetime(2023, 11, 28, 8, 36, 4, tzinfo=UTC)
    assert found.containers == (Container("MAEU5001006", "", (Seal("ab12"),)),)
    assert codec.read(codec.write(found, "json")) == found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("20260302153000+07", datetime(2026, 3, 2, 8, 30, tzinfo=UTC)),
        ("20260302153000+0730", datetime(2026, 3, 2, 8, 0, tzinfo=UTC)),
        ("20260302153000Z", datetime(2026, 3, 2, 15, 30, tzinfo=UTC)),
        ("20260302153000-0330", datetime(2026, 3, 2, 19, 0, tzinfo=UTC)),
        ("20260302153000", None),
        ("20260230153000+07", None),
        ("20260302153000+99", None),
        ("２０２６０３０２１５３０００+07", None),
        ("00010101000000+07", None),
    ],
)
def test_times_have_an_offset(text: str, moment: datetime | None) -> None:
    assert parse_time(text) == moment


# What is wrong


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("FunctionCode", "7", "Declaration/FunctionCode"),
        ("VersionID", "1.5", "Declaration/VersionID"),
        ("VersionID", "９", "Declaration/VersionID"),
        ("TypeCode", "EXPORT", "Declaration/TypeCode"),
        ("IssueDateTime/DateTimeString", "2026-03-02", "Declaration/IssueDateTime/DateTimeString"),
        ("GoodsShipment/Consignment/ContainerCode", "yes", "Declaration/GoodsShipment/Consignment/ContainerCode"),
        (
            "GoodsShipment/GovernmentAgencyGoodsItem/1/Commodity/GoodsMeasure/NetNetWeightMeasure",
            "12,5",
            "Declaration/GoodsShipment/GovernmentAgencyGoodsItem[2]/Commodity/GoodsMeasure/NetNetWeightMeasure",
        ),
        (
            "GoodsShipment/GovernmentAgencyGoodsItem/0/Packaging/0/QuantityQuantity",
            "-1",
            "Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Packaging[1]/QuantityQuantity",
        ),
        ("BorderTransportMeans/ID", "桂" * 36, "Declaration/BorderTransportMeans/ID"),
        ("BorderTransportMeans/ID", "A\u0007", "Declaration/BorderTransportMeans/ID"),
    ],
)
def test_an_error_names_path_and_value(path: str, value: str, place: str) -> None:
    found = problems(changed(path, value))
    assert list(found) == [place]
    assert value.strip("\u0007")[:80] in str(found[place])
    assert place in str(found[place])


def test_all_that_is_wrong_is_named() -> None:
    body = BRITISH.replace(">9<", ">8<").replace(">A1<", "><").replace("20.5", "much")
    assert list(problems(body)) == [
        "Declaration/FunctionCode",
        "Declaration/FunctionalReferenceID",
        "Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/GoodsMeasure/GrossMassMeasure",
    ]


def test_what_may_stand_once_stands_once() -> None:
    body = BRITISH.replace("<TypeCode>EXA</TypeCode>", "<TypeCode>EXA</TypeCode><TypeCode>IMA</TypeCode>")
    assert list(problems(body)) == ["Declaration/TypeCode"]


def test_what_cannot_be_read_again_is_not_written() -> None:
    record = replace(PEARS, function="unheard", border_mode="33", lines=(GoodsLine(net_weight_kg=Decimal("NaN")),))
    with pytest.raises(RefusedError) as refused:
        codec.write(record)
    assert [problem.field for problem in refused.value.problems] == [
        "Declaration/FunctionCode",
        "Declaration/BorderTransportMeans/ModeCode",
        "Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/GoodsMeasure/NetNetWeightMeasure",
    ]


ENTITY = '<!DOCTYPE d [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
LAUGHS = '<!DOCTYPE d [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe\x00",
        b"plate=1",
        b"<Declaration>",
        b'<?xml version="1.0" encoding="nonsense"?><Declaration/>',
        b"<Declaration/>",
        b'<Response xmlns="urn:wco:datamodel:WCO:DEC-DMS:2"/>',
        b'<MetaData xmlns="urn:wco:datamodel:WCO:DocumentMetaData-DMS:2"/>',
        (ENTITY + DANISH.partition("?>")[2].replace(">B2<", ">&x;<")).encode(),
        (LAUGHS + DANISH.partition("?>")[2].replace(">B2<", ">&c;<")).encode(),
        f'<!DOCTYPE Declaration SYSTEM "http://example.org/x.dtd">{DANISH.partition("?>")[2]}'.encode(),
        b"<a>" * 100_000,
        b"[" * 100_000,
        b'{"Declaration": ' * 100 + b"1" + b"}" * 100,
        b"<a>" + b"<b/>" * (tree.MAX_NODES + 1) + b"</a>",
        b"<a>" + b" " * tree.MAX_BYTES + b"</a>",
        b'{"Declaration": {"FunctionCode": "9", "FunctionCode": "5"}}',
        b'{"Declaration": {"FunctionCode": NaN}}',
        b'{"Declaration": {"ID": [["1"]]}}',
        b'{"Declaration": {"ID": {"#text": {}}}}',
        b'{"Declaration": []}',
        b'{"Response": {}}',
        b'{"Declaration": {}, "More": {}}',
        b"{",
    ],
)
def test_what_is_no_message_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedError):
        codec.read(body)


@given(body=st.binary(max_size=200) | st.text(max_size=100).map(lambda text: f'{{"Declaration": {text}}}'.encode()))
@examples(300)
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with pytest.raises((MalformedError, InvalidInputError)):
        codec.read(body)


# The table is data


def test_another_specification_is_another_table() -> None:
    text = (table.FOLDER / "wco_dec.yaml").read_text(encoding="utf-8")
    text = text.replace("path: VersionID", "path: Amendment/VersionNumber")
    text = text.replace('original: ["9"]', 'original: ["O"]').replace("WCO:DEC-DMS:2", "VN:TK:1")
    theirs = table.parse(text)
    written = codec.write(PEARS, "xml", theirs).decode()
    assert "VersionNumber>1<" in written
    assert "FunctionCode>O<" in written
    assert "urn:wco:datamodel:VN:TK:1" in written
    assert codec.read(written.encode(), theirs) == PEARS
    with pytest.raises(MalformedError, match="VN:TK:1"):
        codec.read(codec.write(PEARS), theirs)


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("field: version,", "field: edition,", "edition"),
        ("field: version, path: VersionID, kind: count", "field: version, path: VersionID, kind: decimal", "version"),
        ("codes: unit", "codes: units", "lines.unit"),
        ("field: number, path: ID, max: 70", "field: reference, path: ID, max: 70", "reference"),
        ("path: VersionID", "path: 'Version ID'", "Version ID"),
        ("basis: assumed}", "basis: hoped}", "basis"),
        ("entries:", "entries: [", "the file"),
    ],
)
def test_a_wrong_table_says_where(old: str, new: str, where: str) -> None:
    text = (table.FOLDER / "wco_dec.yaml").read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(InvalidInputError, match=where):
        codec.write(PEARS, "xml", table.parse(text.replace(old, new, 1)))


@pytest.mark.parametrize("name", FORMS)
def test_page_and_schema_are_made_from_the_table(name: str) -> None:
    assert TARGET.read_text(encoding="utf-8") == page(), "run `just forms`"
    form = table.load(name)
    assert schema_path(form).read_text(encoding="utf-8") == schema_text(form), "run `just forms`"


@given(record=any_record())
@examples(50)
def test_what_is_written_as_json_fits_the_schema(record: DeclarationMessage) -> None:
    validator = jsonschema_rs.validator_for(json_schema(DEC))
    validator.validate(json.loads(codec.write(record, "json")))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("FunctionCode", "7"),
        ("VersionID", "1.5"),
        ("TypeCode", "EXPORT"),
        ("GoodsShipment/GovernmentAgencyGoodsItem", {}),
        ("GoodsShipment/GovernmentAgencyGoodsItem/0/Commodity/GoodsMeasure/NetNetWeightMeasure", "12,5"),
        ("IssueDateTime/DateTimeString", {"#text": "20260302"}),
    ],
)
def test_the_schema_refuses_what_is_wrong(path: str, value: object) -> None:
    assert not jsonschema_rs.is_valid(json_schema(DEC), json.loads(changed(path, value)))

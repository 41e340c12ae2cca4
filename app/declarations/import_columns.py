"""The columns of a file of declarations: how they may be headed, and what their values may be called. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Final

from app.declarations.declared import CHOICES
from app.declarations.fields import HEAD_FIELDS, LINE_FIELDS
from app.platform.labels import N_
from app.platform.table_files import Layout, plain_heading
from app.web.i18n import load_catalogues
from geo.text import fold

MAX_FILE_BYTES: Final = 8 * 2**20
MAX_ROWS: Final = 5000
REFERENCE: Final = "reference"
ROW_KEY: Final = "import_row"
"""The column by which a corrected row finds the one it corrects."""
REASON: Final = "reason"
"""The column in which a file of refused rows says why; nothing is read from it."""
OWN_LABELS: Final = {
    REFERENCE: N_("Declaration reference"),
    ROW_KEY: N_("Row key (do not change)"),
    REASON: N_("Reason for refusal"),
}
COLUMNS: Final = (REFERENCE, *(name for name in HEAD_FIELDS if name != "driver_id"), *LINE_FIELDS)

SYNONYMS: Final[Mapping[str, tuple[str, ...]]] = {
    REFERENCE: ("mã tham chiếu", "số tham chiếu", "编号"),
    ROW_KEY: ("mã dòng (không sửa)", "row key (do not change)"),
    REASON: ("lý do", "lý do từ chối", "原因"),
    "gate_id": ("cửa khẩu xuất", "gate"),
    "regime": ("loại hình xuất nhập khẩu", "监管方式"),
    "planned_arrival": ("thời gian đến", "thời gian dự kiến đến", "ngày giờ đến", "giờ đến dự kiến", "预计到达"),
    "customs_number": ("số tờ khai", "tờ khai hải quan", "customs number"),
    "plate": ("biển số", "biển kiểm soát", "bks", "số xe", "biển số đầu kéo", "truck", "truck plate", "车牌"),
    "trailer_plate": (
        "biển số rơ-mooc",
        "biển số rơ moóc",
        "rơ-mooc",
        "rơ-moóc",
        "trailer",
        "trailer plate",
        "挂车车牌",
    ),
    "container": ("công te nơ", "loại container", "cỡ container"),
    "container_number": ("số công-ten-nơ", "số container", "số cont", "container number", "箱号"),
    "seal_numbers": ("số chì", "số niêm phong", "số seal", "seal numbers", "封志号"),
    "refrigerated": ("xe lạnh", "container lạnh", "reefer"),
    "payload_kg": ("tải trọng", "tải trọng (kg)", "payload", "payload (kg)", "核定载重"),
    "inspection_expires": ("hạn kiểm định", "ngày hết hạn đăng kiểm", "检验有效期"),
    "driver_name": ("lái xe", "tên lái xe", "tài xế", "họ và tên lái xe", "họ tên tài xế", "driver", "驾驶员"),
    "driver_phone": ("điện thoại", "số điện thoại", "sđt", "sđt lái xe", "số điện thoại lái xe", "phone", "电话"),
    "driver_paper": ("loại giấy tờ", "证件类型"),
    "driver_paper_number": ("số cccd", "số hộ chiếu", "cccd", "số giấy tờ tùy thân", "passport number"),
    "driver_paper_expires": ("证件有效期",),
    "driver_licence_number": ("số gplx", "gplx", "số bằng lái", "licence number", "license number"),
    "driver_licence_expires": ("hạn gplx", "hạn bằng lái", "驾驶证有效期"),
    "health_symptoms": ("triệu chứng", "症状"),
    "health_temperature_c": ("thân nhiệt",),
    "health_note": ("ghi chú y tế", "健康备注"),
    "hs_code": ("mã số hs", "hs", "mã số hàng hóa", "mã hàng hóa"),
    "description": ("mô tả", "tên hàng", "tên hàng hóa", "mặt hàng", "goods", "goods description", "货物名称"),
    "goods_class": ("nhóm hàng", "chủng loại hàng", "goods class", "class of goods"),
    "quantity": ("sl",),
    "unit": ("đơn vị tính", "đvt"),
    "gross_weight_kg": (
        "trọng lượng cả bì",
        "tổng trọng lượng (kg)",
        "trọng lượng gross",
        "gross weight",
        "gw",
        "毛重",
    ),
    "net_weight_kg": ("trọng lượng tịnh", "trọng lượng net", "net weight", "nw", "净重"),
    "packages": ("số kiện hàng", "packages"),
    "packaging": ("loại bao bì", "quy cách đóng gói"),
    "perishable": ("dễ hỏng", "hàng mau hỏng", "易腐"),
    "temperature_c": ("nhiệt độ", "nhiệt độ bảo quản", "温度"),
    "un_number": ("số un", "mã un", "số liên hợp quốc", "un", "un no", "un no.", "un number", "联合国编号"),
    "hazard_class": ("loại hàng nguy hiểm", "nhóm nguy hiểm", "hazard class", "imo class", "危险货物类别"),
    "service": ("dịch vụ",),
}
"""What columns are headed by beside the names and labels of their fields."""

CALLED: Final[Mapping[str, Mapping[str, str]]] = {
    "regime": {
        "xk": "export",
        "xuất": "export",
        "nk": "import",
        "nhập": "import",
        "tntx": "temporary_import_reexport",
        "txtn": "temporary_export_reimport",
    },
    "direction": {
        "xk": "export",
        "nk": "import",
        "xuất": "export",
        "nhập": "import",
        "xuất khẩu": "export",
        "nhập khẩu": "import",
    },
    "health_symptoms": {
        **dict.fromkeys(("không", "không có", "bình thường", "tốt", "no"), "none"),
        **dict.fromkeys(("có", "yes"), "some"),
    },
    "container": {
        "không": "none",
        "không có": "none",
        "không cont": "none",
        "0": "none",
    },
    "refrigerated": {"lạnh": "yes", "thường": "no", "khô": "no", "reefer": "yes", "dry": "no"},
    "driver_paper": {
        "cccd": "id_card",
        "căn cước": "id_card",
        "thẻ căn cước": "id_card",
        "thẻ cccd": "id_card",
        "cmnd": "id_card",
        "id": "id_card",
        "hc": "passport",
        "gth": "border_pass",
        "giấy thông hành biên giới": "border_pass",
    },
    "goods_class": {
        "trái cây tươi": "fresh_fruit",
        "trái cây": "fresh_fruit",
        "hoa quả": "fresh_fruit",
        "quả": "fresh_fruit",
        "水果": "fresh_fruit",
        "鲜果": "fresh_fruit",
        "蔬菜": "fresh_produce",
        "quả tươi": "fresh_fruit",
        "rau củ": "fresh_produce",
        "rau củ quả": "fresh_produce",
        "rau củ tươi": "fresh_produce",
        "rau": "fresh_produce",
        "nông sản tươi": "fresh_produce",
        "thủy sản": "seafood",
        "thuỷ sản": "seafood",
        "hải sản": "seafood",
        "hải sản tươi sống": "seafood",
        "海鲜": "seafood",
        "thuỷ hải sản": "seafood",
        "thịt": "meat",
        "thịt đông lạnh": "meat",
        "thịt ướp lạnh": "meat",
        "gia súc sống": "live_animals",
        "gia súc": "live_animals",
        "hoa": "flowers",
        "hoa tươi": "flowers",
        "cây cảnh": "flowers",
        "hàng khô": "dry_food",
        "thực phẩm": "dry_food",
        "nông sản khô": "dry_food",
        "gỗ và sản phẩm gỗ": "timber",
        "gỗ xẻ": "timber",
        "gỗ tròn": "timber",
        "quặng": "ore",
        "quặng sắt": "ore",
        "khoáng sản": "ore",
        "quặng và khoáng sản": "ore",
        "dệt may": "textiles",
        "may mặc": "textiles",
        "giày dép": "textiles",
        "vải": "textiles",
        "hàng điện tử": "electronics",
        "linh kiện điện tử": "electronics",
        "linh kiện": "electronics",
        "máy móc thiết bị": "machinery",
        "máy móc, thiết bị": "machinery",
        "xe ô tô mới": "vehicles",
        "ô tô": "vehicles",
        "ô tô nguyên chiếc": "vehicles",
        "hàng tổng hợp": "general",
        "hàng hóa khác": "general",
        "hàng tiêu dùng": "general",
        "khác": "general",
        "xe rỗng": "empty",
        "rỗng": "empty",
        "không hàng": "empty",
        "không có hàng": "empty",
        "xe trống": "empty",
        "空车": "empty",
    },
    "unit": {
        "kgs": "kg",
        "kí": "kg",
        "kilogam": "kg",
        "kilogram": "kg",
        "t": "tonne",
        "tons": "tonne",
        "ton": "tonne",
        "chiếc": "piece",
        "pcs": "piece",
        "lít": "litre",
        "l": "litre",
        "m²": "m2",
        "m³": "m3",
    },
    "packaging": {
        "thùng": "carton",
        "thùng carton": "carton",
        "thùng xốp": "carton",
        "thùng gỗ": "crate",
        "rổ": "crate",
        "khay": "crate",
        "kiện": "carton",
        "túi": "bag",
        "bao tải": "bag",
        "pallet": "pallet",
        "xá": "bulk",
        "không": "none",
        "không bao bì": "none",
    },
}
"""What the values of choices are called beside their names and labels."""
CONTAINER_SIZE: Final = re.compile(
    r"(?:1\s*x\s*)?(?:cont(?:ainer)?\.?\s*)?(?P<size>20|40|45)\s*(?:ft|feet|foot|f|'|’|\")?\s*"
    r"(?:dc|dv|gp|st|hc|hq|rf|rh|ot|fr|fl|lanh|kho|cao)?"
)
"""A container by its length and what carriers put behind it: `40HC`, `1x40'`, `cont 20 lạnh`; folded."""
YES_NO: Final = {"có": "yes", "không": "no", "ko": "no", "k": "no", "c": "yes"}


def layout() -> Layout:
    """How a file of declarations is recognised: by the column of plates."""
    return Layout(
        _headings(), required=("plate",), min_columns=3, max_rows=MAX_ROWS, max_bytes=MAX_FILE_BYTES, refuses_twice=True
    )


@cache
def _headings() -> Mapping[str, tuple[str, ...]]:
    """Name → headings: the name, the label in each language, what else is usual."""
    found: dict[str, tuple[str, ...]] = {}
    for name in (*COLUMNS, ROW_KEY, REASON):
        labels = [text.gettext(message_of(name)) for text in load_catalogues().values()]
        found[name] = tuple(dict.fromkeys((name, *labels, *SYNONYMS.get(name, ()))))
    return found


@cache
def choice_of(name: str) -> Mapping[str, str]:
    """What a value of a column may be called, folded, → the value; empty for columns that are no choice."""
    found: dict[str, str] = {}
    kind = HEAD_FIELDS[name].kind if name in HEAD_FIELDS else LINE_FIELDS[name].kind if name in LINE_FIELDS else ""
    for text in load_catalogues().values():
        for value, label in CHOICES.get(name, {}).items():
            found.setdefault(plain_value(text.gettext(label)), value)
    named = {**(YES_NO if kind == "flag" else {}), **CALLED.get(name, {})}
    found.update({plain_value(called): value for called, value in named.items()})
    return {**found, **{plain_value(value): value for value in CHOICES.get(name, {})}}


def find_choice(name: str, text: str) -> str | None:
    """The value of a column that a text calls by one of its names; `None` if it is no name of one."""
    known = choice_of(name)
    found = known.get(fold(text)) or known.get(plain_value(text))
    if found is None and name == "container" and (match := CONTAINER_SIZE.fullmatch(fold(text).strip())):
        return match["size"]
    return found


def plain_value(text: str) -> str:
    """A value as it is compared: small letters without accents, single spaces, units of a length kept."""
    return plain_heading(text) or fold(text).strip()


def shown_choices(name: str, language: str) -> dict[str, str]:
    """Value → what a column's values are called in a language, for lists to choose from."""
    text = load_catalogues()[language]
    return {value: text.gettext(label) for value, label in CHOICES.get(name, {}).items()}


def in_words(field: str, values: Mapping[str, object], language: str, gates: Mapping[str, str]) -> Mapping[str, object]:
    """The values of a problem of a field with what may be chosen by the names that people know; `gates`: id → name."""
    known = values.get("known")
    if not isinstance(known, str):
        return values
    names = gates if field == "gate_id" else shown_choices(field.rsplit(".", 1)[-1], language)
    return {**values, "known": ", ".join(names.get(value, value) for value in known.split(", "))}


def message_of(name: str) -> str:
    """How a column is headed, as a key of the translations."""
    field = HEAD_FIELDS.get(name) or LINE_FIELDS.get(name)
    return OWN_LABELS[name] if field is None else field.label


def label_of(name: str, language: str) -> str:
    """How a column is headed in a language."""
    return load_catalogues()[language].gettext(message_of(name))

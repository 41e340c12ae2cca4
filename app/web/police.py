"""The traffic police's page: live map, advice, orders."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from app.accounts.permissions import Principal
from app.deps import CorridorDep, allow
from app.trips.goods import GOODS_CLASSES
from app.web.pages import N_, render

router = APIRouter(include_in_schema=False)

REGIME_LABELS = {
    "export": N_("Export"),
    "import": N_("Import"),
    "temporary_import_reexport": N_("Temporary import for re-export"),
    "temporary_export_reimport": N_("Temporary export for re-import"),
    "border_transfer": N_("Border transfer"),
    "transit": N_("Transit"),
}


@router.get("/police")
def show_police(
    request: Request, corridor: CorridorDep, _principal: Annotated[Principal, Depends(allow("pages.police"))]
) -> Response:
    """The control room's page."""
    return render(
        request,
        "police.html",
        gates=corridor.gates(),
        goods_labels={key: goods.label for key, goods in GOODS_CLASSES.items()},
        regime_labels=REGIME_LABELS,
    )

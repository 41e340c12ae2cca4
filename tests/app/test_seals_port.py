"""Electronic seals as a neighbour: what their service says is kept, compared and warned of as at the door of seals."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from app.checkpoints import store as checkpoint_store
from app.checkpoints.warnings import warnings_at
from app.integrations.seals import seals
from app.integrations.simulators.seals import SealsScript
from app.platform.runtime import Runtime
from app.procedures.steps import Step
from tests.app.dispatching import set_stage
from tests.app.neighbouring import connect, exchange, simulated
from tests.conftest import SignIn


def test_what_a_service_of_seals_says_reaches_customs_and_the_barrier(
    runtime: Runtime, sign_in: SignIn, tmp_path: Path
) -> None:
    stage = set_stage(runtime, sign_in)
    with simulated(runtime, SealsScript(), tmp_path) as simulator:
        exchanger = connect(runtime, seals(), simulator.url)
        simulator.tell("VN 7", {"event": "locked", "plate": "29C-123.45", "lon": 106.7, "lat": 21.9})
        exchange(exchanger)
        runtime.clock.advance(5)  # type: ignore[attr-defined]
        simulator.tell("VN 7", {"event": "tampered"})
        simulator.tell("VN 8", {"event": "opened"})
        simulator.tell("VN 9", {"event": "melted"})
        for _ in range(3):
            exchange(exchanger)
        with runtime.sessions() as session:
            kept = session.execute(
                text("SELECT seal_number, kind, trip_id FROM app.seal_event ORDER BY event_id")
            ).all()
            inbox = session.execute(text("SELECT about, status FROM app.neighbour_inbox ORDER BY in_id")).all()
            case = checkpoint_store.load_case(session, stage.trip_id)
            devices = session.execute(text("SELECT count(*) FROM app.equipment WHERE kind = 'seal'")).scalar()
    assert [tuple(row) for row in kept] == [
        ("VN 7", "closed", stage.trip_id),
        ("VN 7", "tampered", stage.trip_id),
        ("VN 8", "opened", None),
    ]
    assert [tuple(row) for row in inbox] == [*(("VN 7", "taken"),) * 2, ("VN 8", "taken"), ("VN 9", "waiting")]
    assert devices == 1, "all seals of the service are behind one device"
    for step in (Step.CUSTOMS, Step.BARRIER_2):
        assert "seal_tampered:VN7" in {
            each.identity for each in warnings_at(step, case, today=runtime.clock.now().date())
        }

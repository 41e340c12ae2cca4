"""A public board with a queue on it, written down by a minute."""

from __future__ import annotations

import numpy as np

from app.control.minute import Minute
from app.gates.service import seed_profiles
from app.platform.runtime import Runtime
from capacity import store as capacity_store
from tests.app.test_control import put_trucks


def queue_at_huu_nghi(runtime: Runtime) -> Runtime:
    """Trucks that stand before Hữu Nghị, yards, profiles, and a minute that told of them."""
    runtime.settings.forecast_runs = 16
    with runtime.sessions.begin() as session:
        capacity_store.seed_yards(session, runtime.corridor, now=runtime.clock.now())
        seed_profiles(session, runtime.corridor, now=runtime.clock.now())
    put_trucks(runtime, list(np.arange(1.2, 6.0, 0.1)), speed_mps=0.8)
    assert Minute.of(runtime).run().failed == []
    return runtime

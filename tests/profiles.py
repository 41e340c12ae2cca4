"""How many examples property tests draw: few while somebody works, all of them in CI.

`HYPOTHESIS_PROFILE` chooses `dev` or `ci`; without it, `ci` is taken where `CI` is set, as CI services do.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

DEV_MAX_EXAMPLES = 50

settings.register_profile("dev", max_examples=DEV_MAX_EXAMPLES, deadline=None)
settings.register_profile("ci", settings.get_profile("ci"), max_examples=100)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)


def examples(n: int, *, suppress: list[HealthCheck] | None = None) -> settings:
    """Settings of a test that draws `n` examples in CI and at most `DEV_MAX_EXAMPLES` elsewhere.

    `suppress` names the health checks that do not apply to the test.
    """
    return settings(
        max_examples=n if PROFILE == "ci" else min(n, DEV_MAX_EXAMPLES),
        deadline=None,
        suppress_health_check=suppress or [],
    )

"""How many examples property tests draw: few while somebody works, all of them in CI.

`HYPOTHESIS_PROFILE` chooses `dev`, `ci` (the same examples every time) or `search` (as many, others every time);
without it, `ci` is taken where `CI` is set, as CI services do.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

DEV_MAX_EXAMPLES = 50

settings.register_profile("dev", max_examples=DEV_MAX_EXAMPLES, deadline=None)
settings.register_profile("ci", settings.get_profile("ci"), max_examples=100)
settings.register_profile("search", settings.get_profile("ci"), derandomize=False, print_blob=True)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
settings.load_profile(PROFILE)


def examples(n: int, *, together: int = 1, suppress: list[HealthCheck] | None = None) -> settings:
    """Settings of a test that draws `n` examples in CI and at most `DEV_MAX_EXAMPLES` elsewhere.

    `together` says how many of them Hypothesis draws as one, `suppress` names the health checks that do not apply to
    the test. That drawing is slow is none: a machine is at times.
    """
    drawn = n if PROFILE in {"ci", "search"} else min(n, DEV_MAX_EXAMPLES)
    return settings(
        max_examples=-(-drawn // together),
        deadline=None,
        suppress_health_check={HealthCheck.too_slow, *(suppress or [])},
    )


def byte_strings(min_size: int, max_size: int) -> st.SearchStrategy[bytes]:
    """Bytes of any length from `min_size` to `max_size`, for tests that draw thousands of them.

    `st.binary` asks after every byte whether another follows, which costs more than what is done with the bytes; here
    the length is one number.
    """
    lengths = st.integers(min_size, max_size)
    return st.builds(lambda drawn, length: drawn[:length], st.binary(min_size=max_size, max_size=max_size), lengths)

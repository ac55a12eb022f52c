"""How hypothesis runs here: the same cases in every run, no deadline on a busy machine."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
# A longer hunt with fresh cases: HYPOTHESIS_PROFILE=hunt pytest tests/tls
settings.register_profile("hunt", deadline=None, max_examples=2000, database=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

"""The checks, one small function each, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Sequence

from glasslock.trace import CheckRan

from .anchor import check_anchor
from .authority import check_basic_constraints, check_extended_key_usage, check_key_usage, check_path_length
from .base import Check, Finding, Place
from .constraints import check_name_constraints
from .dates import check_dates, check_lifetime
from .form import check_critical_extensions, check_form, check_profile
from .identifiers import check_identifiers
from .name import check_name
from .revocation import check_revocation
from .strength import check_key, check_signature, check_signature_algorithm
from .transparency import check_transparency

CHECKS: tuple[Check, ...] = (
    check_form,
    check_critical_extensions,
    check_name,
    check_dates,
    check_lifetime,
    check_basic_constraints,
    check_path_length,
    check_key_usage,
    check_extended_key_usage,
    check_name_constraints,
    check_key,
    check_signature_algorithm,
    check_signature,
    check_profile,
    check_identifiers,
    check_revocation,
    check_transparency,
    check_anchor,
)

__all__ = ["CHECKS", "Check", "Finding", "Place", "run_checks"]


def run_checks(places: Sequence[Place], checks: Sequence[Check] = CHECKS) -> list[CheckRan]:
    """Ask every check of every certificate of a path, leaf first."""
    return [record for place in places for check in checks if (record := check(place)) is not None]

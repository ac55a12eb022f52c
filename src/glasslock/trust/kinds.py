"""The classes of verdict that a program can tell apart."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """Why a certificate was refused, or that it was not. The values are stable."""

    TRUSTED = "trusted"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    WRONG_NAME = "wrong-name"
    UNKNOWN_ROOT = "unknown-root"
    MISSING_INTERMEDIATE = "missing-intermediate"
    SELF_SIGNED = "self-signed"
    INSPECTED = "inspected"
    BAD_SIGNATURE = "bad-signature"
    WRONG_PURPOSE = "wrong-purpose"
    WEAK_KEY = "weak-key"
    WEAK_SIGNATURE = "weak-signature"
    REVOKED = "revoked"
    NAME_CONSTRAINT = "name-constraint"
    LIFETIME_TOO_LONG = "lifetime-too-long"
    UNSUPPORTED = "unsupported-algorithm"
    INVALID = "invalid"


class WhoCanFix(StrEnum):
    """Whose move it is."""

    NOBODY = "nobody: nothing is wrong"
    VISITOR = "the visitor"
    OPERATOR = "the site's operator"
    DEVELOPER = "the developer"
    NETWORK_OWNER = "the owner of the network"

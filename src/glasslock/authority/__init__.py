"""The trusted third party: a small certificate authority that obeys the rules glasslock checks."""

from __future__ import annotations

from .authority import Authority, IssuedCertificate
from .files import default_directory
from .instructions import Instruction
from .keys import KEY_TYPES
from .lifetime import longest_days
from .mint import extension, mint, raw_extension
from .names import Constraints
from .profiles import Services
from .records import History, Issued

__all__ = [
    "KEY_TYPES",
    "Authority",
    "Constraints",
    "History",
    "Instruction",
    "Issued",
    "IssuedCertificate",
    "Services",
    "default_directory",
    "extension",
    "longest_days",
    "mint",
    "raw_extension",
]

"""What one verification is about: the same for the decision and for every check."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

from .names import ServerName
from .policy import Policy, Purpose
from .stores import TrustStore


class Situation(NamedTuple):
    """What is asked of a chain, and what came with it.

    `name` is None when no name is compared; `name_problem` says why no certificate can be for the wanted name.
    """

    store: TrustStore
    policy: Policy
    purpose: Purpose
    now: dt.datetime
    name: ServerName | None = None
    name_problem: str = ""
    ocsp_response: bytes | None = None
    sct_list: bytes | None = None

    @property
    def server(self) -> bool:
        """Whether a server's certificate is judged, rather than a client's."""
        return self.purpose is Purpose.SERVER

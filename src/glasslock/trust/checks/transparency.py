"""Was the certificate made public? Signed certificate timestamps (RFC 6962) are read and shown.

Without a list of logs and their keys nobody can say whether a timestamp is genuine, so none is judged.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from cryptography import x509
from cryptography.x509.certificate_transparency import SignedCertificateTimestamp

from glasslock.trace import CheckRan
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.text import stamp

from .base import Place, remembered

SHORTEST_TIMESTAMP = 1 + 32 + 8 + 2 + 2 + 2  # version, log, time, empty extensions, algorithm, empty signature
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Timestamp:
    """One signed certificate timestamp: which log (SHA-256 of its key) promised when to publish."""

    log: bytes
    time: dt.datetime | None  # None if the number of milliseconds is beyond the calendar


def parse_timestamps(data: bytes) -> list[Timestamp]:
    """Read a SignedCertificateTimestampList (RFC 6962 section 3.3). ValueError if it is malformed."""
    return [_timestamp(item) for item in _items(_whole(data))]


def _whole(data: bytes) -> bytes:
    if len(data) < 2 or int.from_bytes(data[:2], "big") != len(data) - 2:
        raise ValueError("the list's length does not fit")
    return data[2:]


def _items(data: bytes) -> list[bytes]:
    items = []
    while data:
        length = int.from_bytes(data[:2], "big")
        if length == 0 or len(data) < 2 + length:
            raise ValueError("a timestamp's length does not fit")
        items.append(data[2 : 2 + length])
        data = data[2 + length :]
    return items


def _timestamp(data: bytes) -> Timestamp:
    if len(data) < SHORTEST_TIMESTAMP or data[0] != 0:
        raise ValueError("not a timestamp of version 1")
    milliseconds = int.from_bytes(data[33:41], "big")
    try:
        time = EPOCH + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        time = None
    return Timestamp(data[1:33], time)


def _time(entry: SignedCertificateTimestamp) -> dt.datetime | None:
    try:
        return entry.timestamp.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        return None


def check_transparency(place: Place) -> CheckRan | None:
    """RFC 6962: which logs promise to publish the leaf, and since when."""
    if not place.is_leaf:
        return None
    problem = ""
    sent: list[Timestamp] = []
    if place.situation.sct_list is not None:
        try:
            sent = parse_timestamps(place.situation.sct_list)
        except ValueError as error:
            problem = str(error)
    question = place.asks(
        "transparency",
        "RFC 6962 section 3.3",
        (
            ("timestamps in the certificate", embedded_words(place.certificate)),
            ("timestamps from the server", _words(sent)),
        ),
    )
    if problem:
        return question.warned(f"the server's list of timestamps is malformed: {problem}")
    return question.skipped("no list of logs is at hand, so the timestamps cannot be checked")


@remembered
def embedded_words(leaf: ParsedCertificate) -> str:
    """The timestamps that the certificate carries itself, in words."""
    found = leaf.find(x509.PrecertificateSignedCertificateTimestamps)
    return _words([Timestamp(entry.log_id, _time(entry)) for entry in found.value] if found else [])


def _words(timestamps: list[Timestamp]) -> str:
    if not timestamps:
        return "none"
    shown = ", ".join(
        f"log {entry.log[:4].hex()}… {'at no possible time' if entry.time is None else stamp(entry.time)}"
        for entry in timestamps[:5]
    )
    return shown + (f" and {len(timestamps) - 5} more" if len(timestamps) > 5 else "")

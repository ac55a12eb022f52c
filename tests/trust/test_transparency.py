"""Signed certificate timestamps: read, shown, never judged without a list of logs."""

from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import CertificateRefused
from glasslock.trace import CheckRan, Outcome
from glasslock.trust import Verdict
from glasslock.trust.checks.transparency import parse_timestamps

from . import pki
from .pki import NOW, Chain

LOG = bytes(range(32))


def timestamp(milliseconds: int, log: bytes = LOG, version: int = 0) -> bytes:
    body = bytes([version]) + log + milliseconds.to_bytes(8, "big") + b"\0\0" + b"\x04\x03" + b"\0\x02" + b"\x30\0"
    return len(body).to_bytes(2, "big") + body


def listed(*items: bytes) -> bytes:
    body = b"".join(items)
    return len(body).to_bytes(2, "big") + body


SIGNED = int((NOW - dt.timedelta(days=9)).timestamp() * 1000)


def embedded(*times: int) -> Chain:
    """A chain whose leaf carries timestamps, as a public CA's does."""
    value = pki.tlv(4, listed(*(timestamp(time) for time in times)))
    plain = pki.chain()
    oid = x509.PrecertificateSignedCertificateTimestamps.oid.dotted_string
    der = pki.with_extensions(plain.leaf, plain.intermediate.key, pki.raw_extension(oid, value))
    leaf = pki.Issued(x509.load_der_x509_certificate(der), plain.leaf.key)
    return pki.Chain(plain.root, plain.intermediate, leaf)


def check(chain: Chain, sct_list: bytes | None = None) -> CheckRan:
    seen: list[object] = []
    pki.verifier(chain.root).verify(chain.sent, "example.com", sct_list=sct_list, observer=seen.append)
    return next(one for one in seen if isinstance(one, CheckRan) and one.name == "transparency")


def test_none() -> None:
    found = check(pki.chain())
    assert found.outcome is Outcome.SKIPPED
    assert found.explanation == "no list of logs is at hand, so the timestamps cannot be checked"
    assert found.inputs == (("timestamps in the certificate", "none"), ("timestamps from the server", "none"))


def test_in_the_certificate_and_from_the_server() -> None:
    found = check(embedded(SIGNED), listed(timestamp(SIGNED), timestamp(SIGNED + 1000)))
    text = "log 00010203… 2027-01-06 12:00:00 UTC"
    assert found.inputs[0] == ("timestamps in the certificate", text)
    assert found.inputs[1] == ("timestamps from the server", f"{text}, log 00010203… 2027-01-06 12:00:01 UTC")


def test_many_are_counted() -> None:
    found = check(pki.chain(), listed(*[timestamp(SIGNED)] * 9))
    assert found.inputs[1][1].endswith(" and 4 more")


def test_a_time_beyond_the_calendar() -> None:
    assert "at no possible time" in check(pki.chain(), listed(timestamp(2**64 - 1))).inputs[1][1]
    assert "at no possible time" in check(embedded(2**64 - 1)).inputs[0][1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0",
        b"\0\1",
        listed(b"\0\0"),
        listed(b"\0"),
        listed(timestamp(SIGNED)[:-1]),
        listed(timestamp(SIGNED, version=1)),
        listed(b"\0\1\0"),
        listed(timestamp(SIGNED)) + b"\0",
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"timestamp|list"):
        parse_timestamps(data)
    found = check(pki.chain(), data)
    assert found.outcome is Outcome.WARNED
    assert "is malformed" in found.explanation


@given(st.binary(max_size=300))
def test_noise(data: bytes) -> None:
    try:
        assert all(len(one.log) == 32 for one in parse_timestamps(data))
    except ValueError as error:
        assert str(error)  # noqa: PT017 - either is right, depending on the noise


@pytest.mark.parametrize(
    ("logged", "headline"),
    [
        (NOW.timestamp() + 86_400, "Your clock is behind"),
        (0, "Your connection is not private"),
        (2**61, "Your connection is not private"),
    ],
)
def test_a_log_that_has_seen_the_future_tells_of_a_clock_behind(logged: float, headline: str) -> None:
    plain = embedded(int(logged * 1000) if logged < 2**60 else 2**64 - 1)
    early = NOW - dt.timedelta(days=20)
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(plain.root, clock=early.timestamp).verify(plain.sent, "example.com")
    assert isinstance(caught.value.evidence, Verdict)
    assert caught.value.evidence.headline == headline

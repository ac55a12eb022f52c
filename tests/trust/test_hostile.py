"""Whatever a peer sends, the answer is acceptance or CertificateRefused, soon."""

from __future__ import annotations

import time
from contextlib import suppress

import pytest
from cryptography import x509
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasslock.errors import CertificateRefused
from glasslock.registry import Side
from glasslock.trust import ClientCertificateVerifier, Kind, Policy, Verdict, der
from glasslock.trust.certificate import ParsedCertificate, UnreadableCertificate, load
from glasslock.trust.decide import Decision, Refused, decide, read_chain
from glasslock.trust.explain import tell
from glasslock.trust.names import ServerName
from glasslock.trust.policy import Purpose
from glasslock.trust.situation import Situation
from glasslock.trust.text import count, printable, span
from glasslock.trust.verdict import Moment

from . import pki
from .pki import DAY, NOW

GOOD = pki.chain()
VERIFIER = pki.verifier(GOOD.root)
CLIENTS = ClientCertificateVerifier(GOOD.store, clock=pki.clock)
RICH = pki.chain(
    pki.leaf(
        "example.com",
        "*.example.com",
        extra=(
            (x509.CRLDistributionPoints([x509.DistributionPoint([x509.DNSName("a")], None, None, None)]), False),
            (x509.TLSFeature([x509.TLSFeatureType.status_request]), False),
        ),
    ),
    pki.intermediate(permitted=(x509.DNSName("example.com"),), path_length=0),
)
RICH_CERTIFICATES = [RICH.leaf.der, RICH.intermediate.der]


def verify(chain: list[bytes], name: str = "example.com") -> Verdict | None:
    """Both verifiers, without and with a listener; anything but CertificateRefused fails the test."""
    verdict = None
    for observer in (None, lambda _record: None):
        with suppress(CertificateRefused):
            CLIENTS.verify(chain, observer=observer)
        try:
            VERIFIER.verify(chain, name, observer=observer)
        except CertificateRefused as refused:
            assert refused.alert is not None  # noqa: PT017 - acceptance is right too
            assert isinstance(refused.evidence, Verdict)  # noqa: PT017
            verdict = refused.evidence
    return verdict


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_noise(chain: list[bytes]) -> None:
    verdict = verify(chain)
    assert verdict is not None
    assert verdict.kind is Kind.INVALID


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_noise_after_a_good_chain_does_no_harm(junk: list[bytes]) -> None:
    assert verify([*GOOD.sent, *junk]) is None


def mutated(data: st.DataObject, original: bytes) -> bytes:
    """A few bytes changed, removed, or put in."""
    changed = bytearray(original)
    for _ in range(data.draw(st.integers(1, 4))):
        if not changed:
            break
        position = data.draw(st.integers(0, len(changed) - 1))
        match data.draw(st.sampled_from(["change", "change", "remove", "insert", "cut"])):
            case "change":
                changed[position] = data.draw(st.integers(0, 255))
            case "remove":
                del changed[position]
            case "insert":
                changed[position:position] = data.draw(st.binary(min_size=1, max_size=8))
            case _:
                del changed[position + 1 :]
    return bytes(changed)


def resigned(changed: bytes) -> bytes:
    """The same with a signature that fits, if its outline can still be made out, so that later checks are reached."""
    try:
        (certificate,) = der.elements(changed)
        tbs, algorithm, _signature = der.elements(certificate.content)
    except ValueError:
        return changed
    signature = pki.sign_sha256(RICH.intermediate.key, tbs.raw)
    return pki.tlv(0x30, tbs.raw + algorithm.raw + pki.tlv(3, b"\0" + signature))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_leaf(data: st.DataObject) -> None:
    leaf = resigned(mutated(data, RICH.leaf.der))
    verify([leaf, RICH.intermediate.der], "example.com")
    agree([leaf, RICH.intermediate.der])


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_damaged_intermediate(data: st.DataObject) -> None:
    verify([RICH.leaf.der, mutated(data, RICH.intermediate.der)], "www.example.com")
    agree([RICH.leaf.der, mutated(data, RICH.intermediate.der)])


def agree(chain: list[bytes]) -> None:
    """Decision and explanation agree on damaged certificates too."""
    name = ServerName("example.com")
    situation = Situation(store=RICH.store, policy=Policy(), purpose=Purpose.SERVER, now=NOW, name=name)
    received = read_chain(chain)
    try:
        accepted = bool(decide(received, situation))
        refusal = ""
    except Refused as error:
        accepted, refusal = False, str(error)
    reasons = [
        one
        for one in tell(situation, received, Decision(refusal="?"), Moment(0.0, Side.CLIENT)).failed
        if one.name != "verifier"
    ]
    assert bool(reasons) != accepted or "fatal error" in refusal, (refusal, [one.explanation for one in reasons])


def test_truncated_everywhere() -> None:
    for length in range(len(RICH.leaf.der)):
        with pytest.raises(UnreadableCertificate):
            load(RICH.leaf.der[:length])


@pytest.mark.parametrize(
    "data",
    [
        b"\x30\x80",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x88" + b"\xff" * 8,
        b"\x30" * 100_000,
        b"\x30\x83\x0f\xff\xff" * 1000,
        b"\0" * 1_000_000,
    ],
)
def test_lengths_that_promise_too_much(data: bytes) -> None:
    started = time.perf_counter()
    verdict = verify([data])
    assert verdict is not None
    assert verdict.kind is Kind.INVALID
    assert time.perf_counter() - started < 1


def test_a_certificate_for_ten_thousand_names() -> None:
    names = tuple(x509.DNSName(f"host{number}.example.com") for number in range(10_000))
    huge = pki.chain(pki.leaf(names=names))
    pki.verifier(huge.root).verify(huge.sent, "host9999.example.com")
    started = time.perf_counter()
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(huge.root).verify(huge.sent, "other.example")
    assert time.perf_counter() - started < 2
    assert len(str(caught.value)) < 500
    assert isinstance(caught.value.evidence, Verdict)
    assert all(len(value) < 1000 for check in caught.value.evidence.checks for _, value in check.inputs)


def test_names_without_end() -> None:
    long = "\x1b]0;" + "x" * 5000
    chain = pki.chain(pki.leaf(names=(x509.DNSName("a"), x509.RFC822Name("m" * 20_000))))
    leaf = pki.mint(
        pki.leaf(subject=pki.name("s" * 64), names=tuple(x509.DNSName(long) for _ in range(50))), chain.root
    )
    with pytest.raises(CertificateRefused) as caught:
        pki.verifier(chain.root).verify([leaf.der], "example.com")
    assert len(str(caught.value)) < 3000
    assert "\x1b" not in str(caught.value)


@pytest.mark.parametrize("critical", [False, True])
@pytest.mark.parametrize(
    "oid", ["2.5.29.14", "2.5.29.15", "2.5.29.17", "2.5.29.19", "2.5.29.30", "2.5.29.31", "2.5.29.32", "2.5.29.35"]
)
def test_a_known_extension_that_cannot_be_decoded(oid: str, critical: bool) -> None:
    bare = pki.mint(
        pki.Recipe(pki.name("bare"), ca=None, key_identifier=False, authority_identifier=None), GOOD.intermediate
    )
    odd = pki.raw_extension("1.2.3.4", b"\x02\x01", critical=critical)
    encoded = x509.ObjectIdentifier(oid)
    assert encoded.dotted_string == oid
    body = bytes.fromhex("0603") + bytes([0x55, 0x1D, int(oid.rpartition(".")[2])])
    extension = pki.tlv(0x30, body + odd[2 + 5 :])

    def change(fields: list[bytes]) -> list[bytes]:
        return [*fields[:7], pki.tlv(0xA3, pki.tlv(0x30, extension))]

    leaf = pki.rebuild_der(bare, GOOD.intermediate.key, change)
    verdict = verify([leaf, GOOD.intermediate.der])
    assert verdict is not None
    assert verdict.kind is Kind.INVALID
    assert "not a readable certificate" in verdict.cause


def test_the_same_extension_twice() -> None:
    twice = pki.raw_extension("1.2.3.4", b"\x05\0")
    leaf = pki.with_extensions(GOOD.leaf, GOOD.intermediate.key, twice, twice)
    verdict = verify([leaf, GOOD.intermediate.der])
    assert verdict is not None
    assert verdict.kind is Kind.INVALID
    junk = pki.with_extensions(GOOD.intermediate, GOOD.root.key, twice, twice)
    assert verify([GOOD.leaf.der, junk, GOOD.intermediate.der]) is None


def test_a_name_that_cannot_be_decoded_is_shown_as_such() -> None:
    not_utf8 = pki.tlv(0x30, pki.tlv(0x31, pki.tlv(0x30, bytes.fromhex("0603550403") + pki.tlv(0x0C, b"\xff\xfe"))))
    leaf = pki.rebuild(GOOD.leaf, GOOD.intermediate.key, lambda fields: [*fields[:5], not_utf8, *fields[6:]])
    parsed = ParsedCertificate.from_x509(leaf.certificate)
    assert parsed.subject == "(unreadable name)"
    assert parsed.title == "example.com"
    verify([leaf.der, GOOD.intermediate.der])


def test_an_attribute_that_is_no_text() -> None:
    bits = pki.tlv(0x30, pki.tlv(0x31, pki.tlv(0x30, bytes.fromhex("0603550403") + pki.tlv(3, b"\0\xab"))))
    leaf = pki.rebuild(GOOD.leaf, GOOD.intermediate.key, lambda fields: [*fields[:5], bits, *fields[6:]])
    with suppress(CertificateRefused):
        VERIFIER.verify([leaf.der, GOOD.intermediate.der], "other.example")


class TestDer:
    """The little reader of DER."""

    @pytest.mark.parametrize(
        "data",
        [b"\x30", b"\x30\x01", b"\x30\x80", b"\x30\x81", b"\x30\x82\x01", b"\x30\x85\0\0\0\0\1x", b"\x30\x81\x05abcd"],
    )
    def test_malformed(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="DER"):
            der.elements(data)

    @given(st.binary(max_size=50))
    def test_ends(self, data: bytes) -> None:
        try:
            assert b"".join(element.raw for element in der.elements(data)) == data
        except ValueError as error:
            assert "DER" in str(error)  # noqa: PT017 - either is right, depending on the bytes

    @pytest.mark.parametrize("data", [b"", b"\x30\0", b"\x02\x01\x00", pki.tlv(0x30, pki.tlv(0x30, b"") * 3)])
    def test_not_a_certificate(self, data: bytes) -> None:
        with pytest.raises(ValueError, match="not the structure of a certificate"):
            der.certificate_fields(data)

    def test_long_lengths(self) -> None:
        for size in (0, 127, 128, 255, 256, 65_535, 65_536):
            (element,) = der.elements(pki.tlv(4, b"x" * size))
            assert element.content == b"x" * size

    def test_what_the_reader_cannot_take_apart_is_unreadable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(_der: bytes) -> der.CertificateFields:
            raise ValueError("odd")

        monkeypatch.setattr(der, "certificate_fields", refuse)
        ParsedCertificate.from_x509.cache_clear()
        with pytest.raises(UnreadableCertificate, match="odd"):
            ParsedCertificate.from_x509(GOOD.leaf.certificate)
        with pytest.raises(CertificateRefused) as caught:
            VERIFIER.verify(GOOD.sent, "example.com", observer=lambda _record: None)
        assert caught.value.code == "invalid"


def test_equality_is_that_of_the_bytes() -> None:
    one = ParsedCertificate.from_x509(GOOD.leaf.certificate)
    same = ParsedCertificate.from_x509(load(GOOD.leaf.der))
    assert one == same
    assert hash(one) == hash(same)
    assert one != ParsedCertificate.from_x509(GOOD.root.certificate)
    assert one != GOOD.leaf.der
    assert one.public_key() == GOOD.leaf.key.public_key()


def test_text() -> None:
    assert printable("a\tb\u202e") == "a\\x09b\\x202e"
    assert printable("x" * 500) == "x" * 199 + "…"
    assert [span(seconds * DAY / 86_400) for seconds in (-5, 0, 1, 59, 60, 3600, 86_399, 86_400)] == [
        "0 seconds",
        "0 seconds",
        "1 second",
        "59 seconds",
        "1 minute",
        "1 hour",
        "23 hours",
        "1 day",
    ]
    assert count(1234, "name") == "1,234 names"

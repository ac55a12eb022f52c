"""Which key may sign how, in which version (RFC 9846 section 4.3.3)."""

from __future__ import annotations

import pytest

from glasslock.errors import PeerMisbehaved
from glasslock.registry import AlertDescription, Side, SignatureScheme
from glasslock.tls.keys.signatures import (
    SCHEMES,
    PrivateKeySigner,
    key_kind,
    schemes_of_key,
    signed_content,
    suits,
    verify,
)

from ..minted import KINDS, key

TLS_1_2, TLS_1_3 = 0x0303, 0x0304


def test_what_is_signed() -> None:
    """RFC 9846 section 4.5.2 prints this example."""
    expected = "20" * 64 + "544c5320312e332c207365727665722043657274696669636174655665726966" + "79" + "00" + "01" * 32
    assert signed_content(Side.SERVER, b"\1" * 32).hex() == expected
    assert signed_content(Side.CLIENT, b"") == b" " * 64 + b"TLS 1.3, client CertificateVerify\0"


@pytest.mark.parametrize("scheme", [row.id for row in SCHEMES.values() if row.key_kind in KINDS])
def test_signed_and_verified(scheme: SignatureScheme) -> None:
    kind = SCHEMES[scheme].key_kind
    private = key(kind)
    signature = PrivateKeySigner(private).sign(scheme, b"content")
    version = TLS_1_3 if SCHEMES[scheme].tls13 else TLS_1_2
    verify(private.public_key(), kind, scheme, signature, b"content", version)
    for wrong in ((signature, b"Content"), (signature[:-1], b"content"), (b"", b"content")):
        with pytest.raises(PeerMisbehaved) as caught:
            verify(private.public_key(), kind, scheme, *wrong, version)
        assert caught.value.alert == AlertDescription.DECRYPT_ERROR


@pytest.mark.parametrize("kind", KINDS)
def test_a_key_signs_with_its_own_schemes_only(kind: str) -> None:
    """In TLS 1.3 a scheme names the curve; an RSA key has PSS with one of two names."""
    own = {row.id for row in SCHEMES.values() if row.key_kind == kind and row.tls13}
    assert set(schemes_of_key(kind, 256, TLS_1_3)) == own
    assert len(own) == (3 if kind.startswith("rsa") else 1)
    for scheme in SignatureScheme:
        if scheme in own:
            continue
        with pytest.raises(PeerMisbehaved) as caught:
            verify(key(kind).public_key(), kind, scheme, b"", b"", TLS_1_3)
        assert caught.value.alert == AlertDescription.ILLEGAL_PARAMETER


def test_in_tls_1_2_a_curve_goes_with_any_hash() -> None:
    """RFC 8422 section 5.1.3."""
    for kind in ("p256", "p384", "p521"):
        assert {0x0403, 0x0503, 0x0603} <= set(schemes_of_key(kind, 0, TLS_1_2))
    assert 0x0904 not in schemes_of_key("mldsa44", 0, TLS_1_2)
    assert schemes_of_key("mldsa44", 0, TLS_1_3) == (0x0904,)
    assert not suits(SCHEMES[0x0807]._replace(tls12=False), "ed25519", TLS_1_2)


@pytest.mark.parametrize("kind", KINDS)
def test_the_kind_of_a_key(kind: str) -> None:
    oid = "1.2.840.113549.1.1.10" if kind == "rsassa-pss" else ""
    assert key_kind(key(kind).public_key(), oid) == kind
    assert key_kind("not a key") == ""


@pytest.mark.parametrize(("length", "count"), [(65, 0), (66, 1), (97, 1), (98, 2), (129, 2), (130, 3)])
def test_short_rsa_keys(length: int, count: int) -> None:
    """Two hashes and two bytes (RFC 8017 section 9.1.1)."""
    assert len(schemes_of_key("rsa", length, TLS_1_3)) == count


def test_an_unknown_scheme() -> None:
    with pytest.raises(PeerMisbehaved) as caught:
        verify(key("p256").public_key(), "p256", 0xFFFF, b"", b"", TLS_1_3)
    assert "0xffff" in str(caught.value)

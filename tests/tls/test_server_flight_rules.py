"""One corruption per test of what the server sends under the handshake's keys (RFC 9846 sections 4.4, 4.5)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from glasslock.errors import CertificateRefused, ConfigurationError, PeerMisbehaved
from glasslock.registry import AlertDescription, HandshakeType, Side, SignatureScheme
from glasslock.tls import Credential
from glasslock.tls.handshake.peer_key import PeerKey
from glasslock.tls.keys.signatures import PrivateKeySigner
from glasslock.tls.wire.messages import Certificate, CertificateEntry, CertificateVerify, Finished

from .minted import certificate, credential, key
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_client, puppet_server, rewrite
from .puppet import replace as replace_message

A, H = AlertDescription, HandshakeType
CT, CV = H.CERTIFICATE, H.CERTIFICATE_VERIFY


def flight(alter: Any, client: Any = None, **settings: Any) -> Pair:
    """An honest client, and a server whose flight is altered."""
    made = puppet_server(server_config(**{"certificate_compression": ()} | settings), alter)
    return Pair(pair(client).client, made).run()


# --- EncryptedExtensions (section 4.4.1) ------------------------------------------------------------------


def extensions(kind: int, data: bytes, client: Any = None, **settings: Any) -> Pair:
    return flight(change(H.ENCRYPTED_EXTENSIONS, lambda m: m.extensions.update({kind: data})), client, **settings)


EVERYTHING = {"alpn_protocols": ("h2",), "request_scts": True, "record_size_limit": 100, "ticket_request": (1, 1)}


@pytest.mark.parametrize("kind", [1, 14, 15, 16, 19, 20, 28, 42, 57, 58, 0xFE0D, 0xFF55, 0x0A0A])
def test_an_answer_that_nobody_asked_for(kind: int) -> None:
    """unsupported_extension (section 4.3)."""
    assert_refused(extensions(kind, b""), Side.CLIENT, A.UNSUPPORTED_EXTENSION, "unsolicited-extension")


@pytest.mark.parametrize("kind", [5, 13, 18, 27, 43, 45, 51])
def test_an_answer_in_the_wrong_message(kind: int) -> None:
    """The client MUST check for forbidden extensions and abort with illegal_parameter."""
    connected = extensions(kind, b"", client_config(**EVERYTHING))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "misplaced-extension")


@pytest.mark.parametrize(
    ("kind", "data", "alert"),
    [
        (0, b"x", A.DECODE_ERROR),
        (10, b"", A.DECODE_ERROR),
        (10, b"\0\0", A.DECODE_ERROR),
        (10, b"\0\3\0\x1d\0", A.DECODE_ERROR),
        (16, b"", A.DECODE_ERROR),
        (16, b"\0\0", A.DECODE_ERROR),
        (16, b"\0\3\2h2\0", A.DECODE_ERROR),
        (16, b"\0\2\0\0", A.DECODE_ERROR),
        (16, b"\0\6\2h2\2h3", A.DECODE_ERROR),
        (16, b"\0\3\2h3", A.ILLEGAL_PARAMETER),
        (58, b"", A.DECODE_ERROR),
        (58, b"\1\1", A.DECODE_ERROR),
    ],
    ids=[
        "server_name with content",
        "no groups",
        "empty groups",
        "odd groups",
        "no protocol",
        "empty list of protocols",
        "protocol and more",
        "empty protocol",
        "two protocols",
        "a protocol that was not offered",
        "no number of tickets",
        "two numbers of tickets",
    ],
)
def test_an_answer_whose_form_or_content_is_wrong(kind: int, data: bytes, alert: AlertDescription) -> None:
    assert_refused(extensions(kind, data, client_config(**EVERYTHING)), Side.CLIENT, alert)


def test_groups_of_the_server_are_read_and_not_acted_upon() -> None:
    """Section 4.3.7: servers are permitted to send supported_groups."""
    assert extensions(10, b"\0\4\xff\xff\0\x17").errors == {}


@pytest.mark.parametrize(
    "edit",
    [lambda b: b"", lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"\0\1\0", lambda b: b"\0\4\0\0\0\1"],
    ids=["empty", "cut", "trailing", "half an extension", "extension that ends early"],
)
def test_encrypted_extensions_that_cannot_be_read(edit: Callable[[bytes], bytes]) -> None:
    assert_refused(flight(rewrite(H.ENCRYPTED_EXTENSIONS, edit)), Side.CLIENT, A.DECODE_ERROR)


def test_an_extension_twice() -> None:
    connected = flight(rewrite(H.ENCRYPTED_EXTENSIONS, lambda b: b"\0\x08" + b"\0\0\0\0" * 2))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "duplicate-extension")


# --- Certificate (section 4.5.1) ---------------------------------------------------------------------------


def first_entry(**changes: Any) -> Any:
    def edit(message: Certificate) -> None:
        for field, value in changes.items():
            setattr(message.entries[0], field, value)

    return change(CT, edit)


def test_an_empty_certificate_of_the_server() -> None:
    """decode_error (section 4.5.1.3)."""
    connected = flight(change(CT, lambda m: setattr(m, "entries", ())))
    assert_refused(connected, Side.CLIENT, A.DECODE_ERROR, "no-certificate")


def test_a_context_from_the_server() -> None:
    """In the case of server authentication this field SHALL be zero length."""
    connected = flight(change(CT, lambda m: setattr(m, "context", b"x")))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "certificate-context")


@pytest.mark.parametrize("kind", [5, 18, 34, 51, 0xFF55])
def test_entry_extensions_that_nobody_asked_for(kind: int) -> None:
    connected = flight(first_entry(extensions={kind: b""}), client_config(request_ocsp=False, key_shares=()))
    expected = A.ILLEGAL_PARAMETER if kind == 51 else A.UNSUPPORTED_EXTENSION
    assert_refused(connected, Side.CLIENT, expected)


@pytest.mark.parametrize("kind", [0, 10, 13, 16, 27, 28, 43, 45, 51])
def test_entry_extensions_that_belong_elsewhere(kind: int) -> None:
    connected = flight(first_entry(extensions={kind: b""}), client_config(**EVERYTHING))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "misplaced-extension")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        (5, b""),
        (5, b"\1"),
        (5, b"\2\0\0\1x"),
        (5, b"\1\0\0\0"),
        (5, b"\1\0\0\2x"),
        (5, b"\1\0\0\1xx"),
        (18, b""),
        (18, b"\0\0"),
        (18, b"\0\2\0\0"),
        (18, b"\0\3\0\1xx"),
        (18, b"\0\3\0\2x"),
    ],
)
@pytest.mark.parametrize("position", [0, 1])
def test_entry_extensions_whose_form_is_wrong(kind: int, data: bytes, position: int) -> None:
    """CertificateStatus (RFC 6066 section 8), SignedCertificateTimestampList (RFC 6962 section 3.3); in any entry."""

    def edit(message: Certificate) -> None:
        message.entries = (message.entries[0], CertificateEntry(message.entries[0].data))
        message.entries[position].extensions[kind] = data

    assert_refused(flight(change(CT, edit), client_config(**EVERYTHING)), Side.CLIENT, A.DECODE_ERROR)


@pytest.mark.parametrize(
    "edit",
    [
        lambda b: b"",
        lambda b: b"\0",
        lambda b: b"\0\0\0\1",
        lambda b: b"\0\0\0\4\0\0\1x",
        lambda b: b"\0\0\0\5\0\0\0\0\0",
        lambda b: b"\0\0\0\3\0\0\1",
        lambda b: b[:-1],
        lambda b: b + b"\0",
        lambda b: b"\xff" + b[1:],
    ],
    ids=[
        "empty",
        "no list",
        "list without content",
        "entry without extensions",
        "empty entry",
        "entry cut",
        "cut",
        "trailing",
        "context cut",
    ],
)
def test_a_certificate_message_that_cannot_be_read(edit: Callable[[bytes], bytes]) -> None:
    assert_refused(flight(rewrite(CT, edit)), Side.CLIENT, A.DECODE_ERROR)


def broken_certificates() -> dict[str, bytes]:
    good = credential().chain[0]
    version = good.index(b"\xa0\x03\x02\x01\x02")
    return {
        "garbage": b"not a certificate",
        "one byte": b"0",
        "cut": good[:-1],
        "trailing": good + b"\0",
        "X.509 version 6": good[: version + 4] + b"\5" + good[version + 5 :],
        "a length that lies": good[:1] + b"\x84\xff\xff\xff\xff" + good[4:],
    }


@pytest.mark.parametrize("name", broken_certificates())
def test_a_certificate_that_cannot_be_read(name: str) -> None:
    """bad_certificate: a certificate was corrupt (section 6.2)."""
    connected = flight(first_entry(data=broken_certificates()[name]))
    assert_refused(connected, Side.CLIENT, A.BAD_CERTIFICATE, "unreadable-certificate")


def test_every_changed_byte_of_a_certificate_is_survived() -> None:
    """Whatever is in a certificate, reading its key raises our own exceptions or works."""
    good = credential("rsa").chain[0]
    for position in range(len(good)):
        for value in (good[position] ^ 1, good[position] ^ 0x80, 0, 0xFF):
            broken = good[:position] + bytes((value,)) + good[position + 1 :]
            with contextlib.suppress(PeerMisbehaved):
                PeerKey(broken)


def test_a_key_that_tls_cannot_use() -> None:
    """unsupported_certificate: a certificate was of an unsupported type (section 6.2)."""
    from cryptography.hazmat.primitives.asymmetric import dsa

    der = certificate(dsa.generate_private_key(2048), "localhost", issuer=("CA", key("p256")))
    connected = flight(first_entry(data=der))
    assert_refused(connected, Side.CLIENT, A.UNSUPPORTED_CERTIFICATE, "unsupported-key")


def test_the_order_and_number_of_other_certificates_is_the_verifiers_matter() -> None:
    """Section 4.5.1: be prepared to handle extraneous certificates and arbitrary orderings."""

    def edit(message: Certificate) -> None:
        message.entries += (CertificateEntry(b"not even a certificate"), CertificateEntry(credential("rsa").chain[0]))

    connected = flight(change(CT, edit))
    assert connected.errors == {}
    assert len(connected.client.agreed.peer_chain) == 3


# --- CertificateVerify (section 4.5.2) -----------------------------------------------------------------------


def signed(edit: Callable[[CertificateVerify], Any], client: Any = None, kind: str = "p256") -> Pair:
    return flight(change(CV, edit), client, credentials=(credential(kind),))


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: setattr(m, "signature", b""),
        lambda m: setattr(m, "signature", m.signature[:-1]),
        lambda m: setattr(m, "signature", m.signature + b"\0"),
        lambda m: setattr(m, "signature", bytes(len(m.signature))),
        lambda m: setattr(m, "signature", m.signature[:-1] + bytes((m.signature[-1] ^ 1,))),
        lambda m: setattr(m, "signature", bytes(65000)),
    ],
    ids=["empty", "cut", "longer", "zeros", "one bit", "huge"],
)
@pytest.mark.parametrize("kind", ["p256", "rsa", "ed25519", "mldsa44"])
def test_a_wrong_signature(kind: str, edit: Callable[[CertificateVerify], Any]) -> None:
    """If the verification fails, the receiver MUST terminate the handshake with decrypt_error."""
    assert_refused(signed(edit, kind=kind), Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


@pytest.mark.parametrize("scheme", list(SignatureScheme))
def test_a_scheme_that_does_not_go_with_the_key(scheme: int) -> None:
    """The algorithm MUST be compatible with the key: illegal_parameter."""
    if scheme == SignatureScheme.ECDSA_SECP256R1_SHA256:
        return
    connected = signed(lambda m: setattr(m, "scheme", scheme))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER)


@pytest.mark.parametrize("scheme", [s for s in SignatureScheme if s.name.startswith(("RSA_PKCS1", "ECDSA_SHA1"))])
def test_pkcs1_and_sha1_sign_no_handshake_even_if_offered(scheme: int) -> None:
    """Section 4.3.3: not defined for use in signed TLS handshake messages."""
    offered = (*client_config().signature_schemes, SignatureScheme.RSA_PKCS1_SHA1, SignatureScheme.ECDSA_SHA1)
    kind = "p256" if scheme == SignatureScheme.ECDSA_SHA1 else "rsa"

    class Old:
        def sign(self, _: int, content: bytes) -> bytes:
            return PrivateKeySigner(key(kind)).sign(scheme, content)

    def edit(message: CertificateVerify) -> None:
        message.scheme = scheme

    server = replace(credential(kind), signer=Old())
    client = client_config(signature_schemes=tuple(dict.fromkeys(offered)))
    connected = flight(change(CV, edit), client, credentials=(server,))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "wrong-signature-type")


def test_a_scheme_that_was_not_offered() -> None:
    """The algorithm MUST be one offered in signature_algorithms."""

    class Other:
        def sign(self, _: int, content: bytes) -> bytes:
            return PrivateKeySigner(key("rsa")).sign(SignatureScheme.RSA_PSS_RSAE_SHA512, content)

    server = replace(credential("rsa"), signer=Other())
    client = client_config(signature_schemes=(SignatureScheme.RSA_PSS_RSAE_SHA256,))
    alter = change(CV, lambda m: setattr(m, "scheme", SignatureScheme.RSA_PSS_RSAE_SHA512))
    connected = flight(alter, client, credentials=(server,))
    assert_refused(connected, Side.CLIENT, A.ILLEGAL_PARAMETER, "wrong-signature-type")


@pytest.mark.parametrize("salt", [0, 20, 33])
def test_the_salt_is_as_long_as_the_hash(salt: int) -> None:
    """Section 4.3.3: the length of the Salt MUST be equal to the length of the output of the digest algorithm."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    class Salted:
        def sign(self, _: int, content: bytes) -> bytes:
            digest = hashes.SHA256()
            signature: bytes = key("rsa").sign(content, padding.PSS(padding.MGF1(digest), salt), digest)
            return signature

    connected = flight(replace_message(H.KEY_UPDATE), credentials=(replace(credential("rsa"), signer=Salted()),))
    assert_refused(connected, Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


def test_a_signature_of_another_handshake() -> None:
    """The content covers the transcript, so a signature cannot be used again."""
    recorded: list[bytes] = []
    flight(change(CV, lambda m: recorded.append(m.signature)))
    connected = signed(lambda m: setattr(m, "signature", recorded[0]))
    assert_refused(connected, Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


def test_a_signature_in_the_words_of_a_client() -> None:
    class Confused:
        def sign(self, scheme: int, content: bytes) -> bytes:
            return PrivateKeySigner(key("p256")).sign(scheme, content.replace(b"server", b"client"))

    connected = pair(server=server_config(credentials=(replace(credential(), signer=Confused()),)))
    assert_refused(connected.run(), Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


def test_a_signature_with_another_key() -> None:
    """An impostor has the certificate, but not its key."""
    from cryptography.hazmat.primitives.asymmetric import ec

    impostor = replace(credential(), signer=PrivateKeySigner(ec.generate_private_key(ec.SECP256R1())))
    connected = pair(server=server_config(credentials=(impostor,)))
    assert_refused(connected.run(), Side.CLIENT, A.DECRYPT_ERROR, "bad-signature")


@pytest.mark.parametrize("edit", [lambda b: b"", lambda b: b[:3], lambda b: b[:-1], lambda b: b + b"\0"], ids=range(4))
def test_a_certificate_verify_that_cannot_be_read(edit: Callable[[bytes], bytes]) -> None:
    assert_refused(flight(rewrite(CV, edit)), Side.CLIENT, A.DECODE_ERROR)


# --- the verdict ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alert",
    [
        A.BAD_CERTIFICATE,
        A.UNSUPPORTED_CERTIFICATE,
        A.CERTIFICATE_REVOKED,
        A.CERTIFICATE_EXPIRED,
        A.CERTIFICATE_UNKNOWN,
        A.UNKNOWN_CA,
        A.BAD_CERTIFICATE_STATUS_RESPONSE,
    ],
)
def test_the_verifier_chooses_the_alert(alert: AlertDescription) -> None:
    class Verifier:
        def verify(self, *_: object, **__: object) -> None:
            raise CertificateRefused(alert, "refused", "because")

    connected = pair(client_config(verifier=Verifier())).run()
    error = assert_refused(connected, Side.CLIENT, alert, "refused")
    assert isinstance(error, CertificateRefused)
    assert not connected.client.handshake_done
    assert connected.client.agreed.peer_chain == credential().chain  # the evidence is kept


def test_the_verifier_is_asked_only_about_a_peer_that_proved_its_key() -> None:
    class Never:
        def verify(self, *_: object, **__: object) -> None:
            raise AssertionError("too early")

    connected = signed(lambda m: setattr(m, "signature", b"x"), client_config(verifier=Never()))
    assert_refused(connected, Side.CLIENT, A.DECRYPT_ERROR)


# --- Finished (section 4.5.3) -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "alert"),
    [
        (lambda m: setattr(m, "verify_data", bytes(32)), A.DECRYPT_ERROR),
        (lambda m: setattr(m, "verify_data", m.verify_data[:-1] + bytes((m.verify_data[-1] ^ 1,))), A.DECRYPT_ERROR),
        (lambda m: setattr(m, "verify_data", m.verify_data[:-1]), A.DECODE_ERROR),
        (lambda m: setattr(m, "verify_data", m.verify_data + b"\0"), A.DECODE_ERROR),
        (lambda m: setattr(m, "verify_data", b""), A.DECODE_ERROR),
        (lambda m: setattr(m, "verify_data", bytes(12)), A.DECODE_ERROR),
    ],
    ids=["zeros", "one bit", "cut", "longer", "empty", "as in TLS 1.2"],
)
@pytest.mark.parametrize("by", list(Side))
def test_a_wrong_finished(by: Side, edit: Callable[[Finished], Any], alert: AlertDescription) -> None:
    """Incorrect contents: decrypt_error; a length that is not Hash.length: decode_error."""
    alter = change(H.FINISHED, edit)
    connected = flight(alter) if by is Side.CLIENT else Pair(puppet_client(client_config(), alter), pair().server).run()
    assert_refused(connected, by, alert)
    assert not connected.side(by).handshake_done


def test_finished_of_the_other_direction() -> None:
    """A reflected Finished does not fit: each direction has a key of its own."""
    finished: list[bytes] = []

    def note(kind: HandshakeType, raw: bytes) -> tuple[bytes, ...]:
        if kind is H.FINISHED:
            finished.append(raw)
        return (raw,)

    def reflect(kind: HandshakeType, raw: bytes) -> tuple[bytes, ...]:
        return (finished[0],) if kind is H.FINISHED else (raw,)

    connected = Pair(puppet_client(client_config(), reflect), puppet_server(server_config(), note))
    assert_refused(connected.run(), Side.SERVER, A.DECRYPT_ERROR, "bad-finished")


def test_a_changed_hello_is_found() -> None:
    """Whatever is changed on the way, both ends notice: here the client's list of protocols."""
    connected = pair(client_config(alpn_protocols=("h2",)), server_config(alpn_protocols=("h1", "h2")))
    hello = connected.client.data_to_send()
    connected.deliver(Side.SERVER, hello.replace(b"\2h2", b"\2h1"))
    connected.run()
    assert connected.errors[Side.CLIENT].alert in (A.DECRYPT_ERROR, A.BAD_RECORD_MAC)
    assert not connected.client.handshake_done
    assert not connected.server.handshake_done


def test_a_credential_without_certificates_cannot_be_made() -> None:
    with pytest.raises(ConfigurationError, match="at least one"):
        Credential.from_key([], key("p256"))

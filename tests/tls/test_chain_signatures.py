"""Which chain is shown, by how its certificates are signed (RFC 9846 sections 4.3.3 and 4.5.1.2)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes

from glasslock.registry import AlertDescription, HandshakeType, Side, SignatureScheme
from glasslock.tls import Credential, DangerousAcceptAnyCertificate
from glasslock.tls.credentials import best_chain
from glasslock.tls.keys.signatures import certificate_schemes
from glasslock.tls.wire import extensions as ext

from .minted import MAKERS, certificate, credential, key
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_client, puppet_server

A, H, S = AlertDescription, HandshakeType, SignatureScheme
SHA1 = hashes.SHA1()


def issued(kind: str, digest: hashes.HashAlgorithm | None = None, *, pss: bool = False) -> Credential:
    """A P-256 leaf whose issuer has a key of this kind."""
    der = certificate(key("p256"), "localhost", issuer=("CA", key(kind)), digest=digest, pss=pss)
    return Credential.from_key([der], key("p256"))


def sha1() -> Credential:
    """Nobody signs with SHA-1 any more, pyca neither: so the name of the algorithm is put in by hand."""
    sha256, old = (bytes.fromhex("06092a864886f70d0101" + end) for end in ("0b", "05"))
    return Credential.from_signer([issued("rsa").chain[0].replace(sha256, old)], credential("p256").signer)


@pytest.mark.parametrize(
    ("kind", "digest", "pss", "schemes"),
    [
        ("rsa", hashes.SHA256(), False, {S.RSA_PKCS1_SHA256}),
        ("rsa", hashes.SHA384(), False, {S.RSA_PKCS1_SHA384}),
        ("rsa", hashes.SHA512(), False, {S.RSA_PKCS1_SHA512}),
        ("rsa", hashes.SHA256(), True, {S.RSA_PSS_RSAE_SHA256, S.RSA_PSS_PSS_SHA256}),
        ("rsa", hashes.SHA384(), True, {S.RSA_PSS_RSAE_SHA384, S.RSA_PSS_PSS_SHA384}),
        ("rsa", hashes.SHA512(), True, {S.RSA_PSS_RSAE_SHA512, S.RSA_PSS_PSS_SHA512}),
        ("p256", hashes.SHA256(), False, {S.ECDSA_SECP256R1_SHA256}),
        ("p384", hashes.SHA384(), False, {S.ECDSA_SECP384R1_SHA384}),
        ("p521", hashes.SHA512(), False, {S.ECDSA_SECP521R1_SHA512}),
        ("ed25519", None, False, {S.ED25519}),
        ("ed448", None, False, {S.ED448}),
        ("mldsa44", None, False, {S.MLDSA44}),
        ("mldsa65", None, False, {S.MLDSA65}),
        ("mldsa87", None, False, {S.MLDSA87}),
    ],
)
def test_how_a_certificate_is_signed(kind: str, digest: Any, pss: bool, schemes: set[int]) -> None:
    (found,) = issued(kind, digest, pss=pss).chain_schemes
    assert set(found) == schemes
    assert not issued(kind, digest, pss=pss).chain_needs_sha1


def test_what_nobody_knows_suits_nobody() -> None:
    (found,) = issued("rsa", hashes.SHA224()).chain_schemes
    assert found == ()
    assert not issued("rsa", hashes.SHA224()).chain_suits(tuple(SignatureScheme))


def test_self_signed_certificates_are_not_checked_by_signature() -> None:
    """Section 4.3.3: they MAY be signed with any algorithm."""
    assert all(credential(kind).chain_schemes == () for kind in MAKERS)
    assert credential("rsa").chain_suits(())


def test_sha1_is_recognised() -> None:
    old = sha1()
    assert old.chain_needs_sha1
    assert old.chain_suits((S.RSA_PKCS1_SHA1,))
    assert not old.chain_suits(tuple(s for s in SignatureScheme if "SHA1" not in s.name))
    assert certificate_schemes("1.2.840.10045.4.1", "sha1") == (S.ECDSA_SHA1,)


# --- the server ----------------------------------------------------------------------------------------------


def shown(credentials: Sequence[Credential], schemes: tuple[int, ...], for_certificates: tuple[int, ...] = ()) -> Any:
    """Which chain a server shows to a client that accepts these schemes."""

    def edit(hello: Any) -> None:
        if for_certificates:
            hello.extensions[50] = ext.write_u16_vector(for_certificates)

    client = puppet_client(client_config(signature_schemes=schemes), change(H.CLIENT_HELLO, edit))
    return Pair(client, pair(server=server_config(credentials=tuple(credentials))).server).run()


BY_RSA, BY_ECDSA = issued("rsa"), issued("p256", hashes.SHA256())


def test_the_chain_that_the_client_can_check_goes_first() -> None:
    """All certificates MUST be signed by an algorithm advertised by the peer, if the sender is able to."""
    both = (BY_RSA, BY_ECDSA)
    everything = (S.ECDSA_SECP256R1_SHA256, S.RSA_PKCS1_SHA256)
    assert shown(both, everything).done().client.agreed.peer_chain == BY_RSA.chain
    only = (S.ECDSA_SECP256R1_SHA256,)
    assert shown(both, only).done().client.agreed.peer_chain == BY_ECDSA.chain


def test_signature_algorithms_cert_counts_where_it_is_sent() -> None:
    """Section 4.3.3: it applies to signatures in certificates, signature_algorithms to CertificateVerify."""
    both = (BY_ECDSA, BY_RSA)
    handshake = (S.ECDSA_SECP256R1_SHA256,)
    connected = shown(both, handshake, for_certificates=(S.RSA_PKCS1_SHA256,)).done()
    assert connected.client.agreed.peer_chain == BY_RSA.chain
    assert connected.client.agreed.signature_scheme == S.ECDSA_SECP256R1_SHA256


def test_a_chain_that_was_not_asked_for_is_better_than_none() -> None:
    """It SHOULD continue the handshake by sending a chain of its choice."""
    connected = shown((BY_RSA,), (S.ECDSA_SECP256R1_SHA256,)).done()
    assert connected.client.agreed.peer_chain == BY_RSA.chain


def test_but_never_one_with_sha1() -> None:
    """This fallback chain MUST NOT use SHA-1, unless the client says that it accepts it."""
    old = sha1()
    assert_refused(shown((old,), (S.ECDSA_SECP256R1_SHA256,)), Side.SERVER, A.HANDSHAKE_FAILURE, "no-acceptable-chain")
    assert shown((old, BY_RSA), (S.ECDSA_SECP256R1_SHA256,)).done().client.agreed.peer_chain == BY_RSA.chain
    wanted = (S.ECDSA_SECP256R1_SHA256, S.RSA_PKCS1_SHA1)
    assert shown((old,), wanted).done().client.agreed.peer_chain == old.chain


def test_the_name_goes_before_the_signature() -> None:
    other = Credential.from_key([certificate(key("p256"), "other", issuer=("CA", key("p256")))], key("p256"))
    assert shown((other, BY_RSA), (S.ECDSA_SECP256R1_SHA256,)).done().client.agreed.peer_chain == BY_RSA.chain


# --- the client ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [((), BY_RSA), ((S.ECDSA_SECP256R1_SHA256,), BY_ECDSA), ((S.RSA_PKCS1_SHA256,), BY_RSA)],
    ids=["as in the handshake", "ECDSA", "RSA"],
)
def test_a_client_chooses_alike(accepted: tuple[int, ...], expected: Credential) -> None:
    def edit(request: Any) -> None:
        if accepted:
            request.extensions[50] = ext.write_u16_vector(accepted)

    asking = server_config(client_verifier=DangerousAcceptAnyCertificate())
    client = pair(client_config(credentials=(BY_RSA, BY_ECDSA))).client
    connected = Pair(client, puppet_server(asking, change(H.CERTIFICATE_REQUEST, edit))).done()
    assert connected.server.agreed.peer_chain == expected.chain


def test_a_client_goes_on_without_a_certificate_rather_than_with_sha1() -> None:
    """If the sender is the client, it MAY continue the handshake anonymously."""
    asking = server_config(client_verifier=DangerousAcceptAnyCertificate())
    connected = pair(client_config(credentials=(sha1(),)), asking).done()
    assert connected.server.agreed.peer_chain == ()


def test_nothing_to_choose_from() -> None:
    assert best_chain((), (S.ED25519,)) is None

"""The certificates of a test, made from the runner's files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from glasslock.registry import SignatureScheme
from glasslock.tls import Credential, ExternalPsk, import_psk
from glasslock.tls.handshake.agreed import Agreed
from glasslock.tls.keys.signatures import PrivateKeySigner

from .flags import CredentialSettings, Settings

SIGNED = (
    SignatureScheme.MLDSA44,
    SignatureScheme.MLDSA65,
    SignatureScheme.MLDSA87,
    SignatureScheme.ED25519,
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.RSA_PKCS1_SHA256,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA384,
    SignatureScheme.RSA_PKCS1_SHA384,
    SignatureScheme.ECDSA_SECP521R1_SHA512,
    SignatureScheme.RSA_PSS_RSAE_SHA512,
    SignatureScheme.RSA_PKCS1_SHA512,
    SignatureScheme.ECDSA_SHA1,
    SignatureScheme.RSA_PKCS1_SHA1,
)


class LateSigner(PrivateKeySigner):
    """Signs, but not at once: the engine has to wait for it, as for a remote one."""

    deferred = True


class Credentials:
    """Those of the test in its order, then the one that BoringSSL calls the legacy one."""

    def __init__(self, settings: Settings) -> None:
        self._numbered: list[Credential | tuple[ExternalPsk, ...]] = [
            imported(item) if item.kind == "psk" else make(item, late=settings.is_async)
            for item in settings.credentials
        ]
        self._legacy = make(settings.credential, late=settings.is_async) if settings.credential.key_file else None

    @property
    def certificates(self) -> tuple[Credential, ...]:
        numbered = [item for item in self._numbered if isinstance(item, Credential)]
        return (*numbered, *((self._legacy,) if self._legacy else ()))

    @property
    def psks(self) -> tuple[ExternalPsk, ...]:
        return tuple(psk for item in self._numbered if isinstance(item, tuple) for psk in item)

    def number_of(self, agreed: Agreed) -> int:
        """Of the one in use, as the runner counts: from 0, and -1 for the legacy one or none."""
        for number, known in enumerate(self._numbered):
            if isinstance(known, tuple):
                if agreed.external_psk in [psk.identity for psk in known]:
                    return number
            # What is stapled to it may have been replaced.
            elif agreed.credential is not None and (known.chain, known.signature_schemes) == (
                agreed.credential.chain,
                agreed.credential.signature_schemes,
            ):
                return number
        return -1


def imported(settings: CredentialSettings) -> tuple[ExternalPsk, ...]:
    return import_psk(
        settings.psk_importer_identity,
        settings.psk_importer_key,
        settings.psk_importer_context,
        hash_name=settings.psk_importer_hash,
    )


def make(settings: CredentialSettings, *, late: bool) -> Credential:
    key = private_key(settings.key_file)
    signer = LateSigner(key) if late else PrivateKeySigner(key)
    if settings.kind == "rpk":
        credential = Credential.from_raw_signer(Credential.from_raw_key(key).chain[0], signer)
    else:
        credential = Credential.from_signer(
            chain(settings.cert_file),
            signer,
            ocsp_response=settings.ocsp_response or None,
            sct_list=settings.signed_cert_timestamps or None,
        )
    schemes = tuple(settings.signing_prefs) or SIGNED
    return replace(credential, signature_schemes=schemes, must_match_issuer=settings.must_match_issuer)


def chain(path: str) -> tuple[bytes, ...]:
    certificates = x509.load_pem_x509_certificates(Path(path).read_bytes())
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def private_key(path: str) -> object:
    """The runner's own keys: their arithmetic, which takes pyca 40 ms to check, is not in question."""
    return load_pem_private_key(Path(path).read_bytes(), None, unsafe_skip_rsa_key_validation=True)

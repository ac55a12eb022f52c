"""What a verifier insists on, in our words and in those of `cryptography.x509.verification`, which decides.

By default a certificate may lapse from RFC 5280's profile where browsers and OpenSSL let it (no key usage in a
CA certificate, no authority key identifier, an extension marked critical or not against the rule): the checks
warn. `strict` refuses all that, as Python 3.13 does with VERIFY_X509_STRICT.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy
from cryptography.x509.verification import Policy as PycaPolicy

ExtensionPolicies: TypeAlias = tuple[ExtensionPolicy, ExtensionPolicy]  # for CAs, for the leaf


class Purpose(Enum):
    """What the certificate is shown for: the value is what its extended key usage must allow."""

    SERVER = ExtendedKeyUsageOID.SERVER_AUTH
    CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH

    @property
    def words(self) -> str:
        return "server authentication" if self is Purpose.SERVER else "client authentication"


@dataclass(frozen=True, slots=True)
class Policy:
    """What a verifier insists on.

    `strict`: refuse every lapse from RFC 5280's profile, as Python 3.13 does.
    `max_intermediates`: certificates between the leaf and the trust anchor, 0 to 255.
    `dangerous_any_name`: take a server's certificate for any name: anyone with a certificate of a trusted CA can
    then pretend to be any server. For callers that compare names themselves.
    """

    strict: bool = False
    max_intermediates: int = 8
    dangerous_any_name: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.max_intermediates <= 255:
            raise ValueError("max_intermediates must be between 0 and 255")


DEFAULT_POLICY = Policy()


@functools.cache
def extension_policies(purpose: Purpose, *, strict: bool, trusted_leaf: bool, any_name: bool) -> ExtensionPolicies:
    """Say to pyca which extensions must, may and must not be there.

    `any_name`: no name is compared, so none has to be there.
    `trusted_leaf`: the leaf itself is in the trust store, so it may also be a CA certificate, as those that
    `openssl req -x509` makes are, and need not say which key signed it.
    """
    ca = ExtensionPolicy.webpki_defaults_ca()
    leaf = ExtensionPolicy.webpki_defaults_ee()
    # Which usage is needed is always said here and never left to pyca's default, which takes it from the kind of
    # its verifier: without a server name that is a client verifier, whatever the purpose.
    marked = Criticality.NON_CRITICAL if strict else Criticality.AGNOSTIC
    usage = purpose.value
    any_usage = ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE
    ca = ca.may_be_present(x509.ExtendedKeyUsage, marked, _UsageValidator((usage, any_usage)))
    leaf = leaf.may_be_present(x509.ExtendedKeyUsage, marked, _UsageValidator((usage,)))
    if trusted_leaf:
        leaf = leaf.may_be_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    if trusted_leaf or not strict:
        leaf = leaf.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, None)
        leaf = leaf.may_be_present(x509.AuthorityKeyIdentifier, marked, None)
    if any_name:
        leaf = leaf.may_be_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    elif not strict:
        leaf = leaf.require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)
    if not strict:
        leaf = leaf.may_be_present(x509.AuthorityInformationAccess, Criticality.AGNOSTIC, None)
        ca = ca.may_be_present(x509.AuthorityInformationAccess, Criticality.AGNOSTIC, None)
        ca = ca.may_be_present(x509.AuthorityKeyIdentifier, Criticality.AGNOSTIC, None)
        ca = ca.may_be_present(x509.SubjectKeyIdentifier, Criticality.AGNOSTIC, None)
        ca = ca.may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _validate_ca_key_usage)
        ca = ca.require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
    return ca, leaf


class _NotAllowed(Exception):
    """Tells pyca that an extension is not acceptable."""


def _validate_ca_key_usage(_policy: PycaPolicy, _certificate: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise _NotAllowed("a CA's key usage must include keyCertSign")


@dataclass(frozen=True, slots=True)
class _UsageValidator:
    """An extended key usage that is there must name one of these."""

    accepted: tuple[x509.ObjectIdentifier, ...]

    def __call__(
        self, _policy: PycaPolicy, _certificate: x509.Certificate, usage: x509.ExtendedKeyUsage | None
    ) -> None:
        if usage is not None and not any(oid in self.accepted for oid in usage):
            raise _NotAllowed("the extended key usage does not include the one that is needed")

"""Stapled OCSP: believed only from the issuer or its delegate, about this certificate, now."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import CertificateRefused
from glasslock.registry import AlertDescription
from glasslock.trace import CheckRan, Outcome
from glasslock.trust import Kind, Policy, Verdict
from glasslock.trust.certificate import ParsedCertificate
from glasslock.trust.ocsp import MOST_RESPONSES, Staple, Status, _response_for, _Unbelievable, read_staple

from . import pki
from .pki import DAY, NOW, Chain, Issued

GOOD = pki.chain()
OTHER = pki.chain(pki.leaf(number=310), pki.intermediate("Other CA", 210))
RESPONDER_USE = (ExtendedKeyUsageOID.OCSP_SIGNING,)
MUST_STAPLE = x509.TLSFeature([x509.TLSFeatureType.status_request])


@dataclass(frozen=True)
class Answer:
    """What a responder says; its defaults are those of a good answer."""

    about: Issued = GOOD.leaf
    issuer: Issued = GOOD.intermediate
    signer: Issued = GOOD.intermediate
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD
    this_update: dt.datetime = NOW - DAY
    next_update: dt.datetime | None = NOW + DAY
    reason: x509.ReasonFlags | None = None
    by: ocsp.OCSPResponderEncoding = ocsp.OCSPResponderEncoding.HASH
    enclosed: tuple[Issued, ...] = ()
    hash: hashes.HashAlgorithm | None = field(default_factory=hashes.SHA256)
    identified_by: hashes.HashAlgorithm = field(default_factory=hashes.SHA1)

    def der(self) -> bytes:
        revoked = self.status is ocsp.OCSPCertStatus.REVOKED
        builder = (
            ocsp.OCSPResponseBuilder()
            .add_response(
                self.about.certificate,
                self.issuer.certificate,
                self.identified_by,
                self.status,
                self.this_update,
                self.next_update,
                NOW - 2 * DAY if revoked else None,
                self.reason,
            )
            .responder_id(self.by, self.signer.certificate)
        )
        if self.enclosed:
            builder = builder.certificates([one.certificate for one in self.enclosed])
        return builder.sign(self.signer.key, self.hash).public_bytes(Encoding.DER)


def read(answer: Answer | bytes, chain: Chain = GOOD) -> Staple:
    data = answer if isinstance(answer, bytes) else answer.der()
    leaf, issuer = (ParsedCertificate.from_x509(one.certificate) for one in (chain.leaf, chain.intermediate))
    return read_staple(data, leaf, issuer, NOW)


def delegate(**changes: Any) -> Issued:
    issuer = changes.pop("issuer", GOOD.intermediate)
    return pki.mint(pki.leaf(number=320, **{"names": None, "extended": RESPONDER_USE, **changes}), issuer)


DELEGATE = delegate()
REVOKED = Answer(status=ocsp.OCSPCertStatus.REVOKED, reason=x509.ReasonFlags.key_compromise)


class TestReading:
    """What a response proves."""

    @pytest.mark.parametrize("by", list(ocsp.OCSPResponderEncoding))
    def test_good(self, by: ocsp.OCSPResponderEncoding) -> None:
        staple = read(Answer(by=by))
        assert staple.status is Status.GOOD
        assert (staple.responder, staple.problem) == ("Intermediate", "")
        assert (staple.this_update, staple.next_update) == (NOW - DAY, NOW + DAY)

    def test_revoked(self) -> None:
        staple = read(REVOKED)
        assert (staple.status, staple.reason) == (Status.REVOKED, "keyCompromise")
        assert staple.revoked_at == NOW - 2 * DAY

    @pytest.mark.parametrize("by", list(ocsp.OCSPResponderEncoding))
    def test_delegate(self, by: ocsp.OCSPResponderEncoding) -> None:
        assert read(Answer(signer=DELEGATE, enclosed=(DELEGATE,), by=by)).status is Status.GOOD

    @pytest.mark.parametrize("kind", ["rsa2048", "p384", "ed25519", "ed448"])
    def test_kinds_of_keys(self, kind: str) -> None:
        signer = delegate(key=pki.key(kind))
        algorithm = None if kind.startswith("ed") else hashes.SHA384()
        assert read(Answer(signer=signer, enclosed=(signer,), hash=algorithm)).status is Status.GOOD

    def test_identified_by_sha256(self) -> None:
        assert read(Answer(identified_by=hashes.SHA256())).status is Status.GOOD

    def test_without_next_update_for_ten_days(self) -> None:
        assert read(Answer(next_update=None, this_update=NOW - 9 * DAY)).status is Status.GOOD
        stale = read(Answer(next_update=None, this_update=NOW - 11 * DAY))
        assert (stale.status, stale.problem) == (Status.NOTHING, "is out of date since 1 day")

    @pytest.mark.parametrize(
        ("answer", "problem"),
        [
            (Answer(status=ocsp.OCSPCertStatus.UNKNOWN), "the responder does not know the certificate"),
            (Answer(this_update=NOW + DAY, next_update=NOW + 2 * DAY), "is from the future"),
            (Answer(this_update=NOW - 4 * DAY, next_update=NOW - DAY), "is out of date since 1 day"),
            (Answer(about=OTHER.leaf), "is about another certificate"),
            (Answer(issuer=OTHER.intermediate), "is about another certificate"),
            (Answer(signer=OTHER.intermediate), "is not signed by"),
            (Answer(signer=GOOD.root), "is not signed by"),
            (Answer(signer=DELEGATE), "is not signed by"),
            (Answer(signer=delegate(extended=None), enclosed=(delegate(extended=None),)), "is not signed by"),
            (
                Answer(signer=delegate(extended=(pki.SERVER,)), enclosed=(delegate(extended=(pki.SERVER,)),)),
                "is not signed by",
            ),
            (
                Answer(signer=delegate(not_after=NOW - DAY), enclosed=(delegate(not_after=NOW - DAY),)),
                "is not signed by",
            ),
            (
                Answer(signer=delegate(issuer=OTHER.intermediate), enclosed=(delegate(issuer=OTHER.intermediate),)),
                "is not signed by",
            ),
        ],
    )
    def test_unbelievable(self, answer: Answer, problem: str) -> None:
        staple = read(answer)
        assert staple.status is Status.NOTHING
        assert problem in staple.problem

    def test_of_a_namesake_of_the_issuer(self) -> None:
        namesake = pki.mint(pki.intermediate(number=230), GOOD.root)
        staple = read(Answer(issuer=GOOD.intermediate, signer=namesake, by=ocsp.OCSPResponderEncoding.NAME))
        assert "is not signed by" in staple.problem

    @pytest.mark.parametrize(
        "status", [status for status in ocsp.OCSPResponseStatus if status is not ocsp.OCSPResponseStatus.SUCCESSFUL]
    )
    def test_the_responder_had_no_answer(self, status: ocsp.OCSPResponseStatus) -> None:
        data = ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(Encoding.DER)
        assert read(data).problem == f"the responder answered {status.name.lower().replace('_', ' ')}"

    def test_weak_signature(self) -> None:
        data = Answer().der().replace(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040301"), 1)
        assert read(data).problem == "is signed using a weak algorithm: sha224"

    def test_one_bit_changed(self) -> None:
        data = bytearray(Answer().der())
        data[-1] ^= 1
        assert read(bytes(data)).status is Status.NOTHING

    @given(st.binary(max_size=200))
    def test_noise(self, data: bytes) -> None:
        staple = read(data)
        assert staple.status is Status.NOTHING
        assert staple.problem.startswith("cannot be read")

    @given(st.data())
    def test_damage_never_proves_anything(self, data: st.DataObject) -> None:
        answer = bytearray(PREPARED)
        position = data.draw(st.integers(0, len(answer) - 1))
        answer[position] ^= data.draw(st.integers(1, 255))
        assert read(bytes(answer)).status in (Status.NOTHING, Status.REVOKED)
        assert read(bytes(answer[:position])).status is Status.NOTHING


PREPARED = REVOKED.der()
Verify = Callable[..., list[CheckRan]]


def checks(chain: Chain = GOOD, *, sent: list[bytes] | None = None, **options: Any) -> CheckRan:
    """The check of revocation of an accepted chain."""
    seen: list[object] = []
    policy = options.pop("policy", Policy())
    anchors = options.pop("anchors", (chain.root,))
    pki.verifier(*anchors, policy=policy).verify(sent or chain.sent, "example.com", observer=seen.append, **options)
    return next(one for one in seen if isinstance(one, CheckRan) and one.name == "revocation")


class TestInVerification:
    """What becomes of it."""

    def test_revoked_is_refused_with_and_without_an_observer(self) -> None:
        for observer in (None, lambda _record: None):
            with pytest.raises(CertificateRefused) as caught:
                pki.verifier(GOOD.root).verify(GOOD.sent, "example.com", ocsp_response=REVOKED.der(), observer=observer)
            verdict = caught.value.evidence
            assert isinstance(verdict, Verdict)
            assert verdict.kind is Kind.REVOKED
            assert verdict.alert is AlertDescription.CERTIFICATE_REVOKED
            assert verdict.code == "NET::ERR_CERT_REVOKED"
            assert not verdict.may_proceed
            assert verdict.cause == (
                "the certificate of example.com was revoked by its issuer 2 days ago, reason: keyCompromise"
            )
            assert "--new-key" in verdict.fix
            assert "has been revoked" in verdict.details

    def test_good(self) -> None:
        check = checks(ocsp_response=Answer().der())
        assert check.outcome is Outcome.PASSED
        assert check.explanation == "not revoked, says Intermediate"
        assert ("as of", "2027-01-14 12:00:00 UTC") in check.inputs

    def test_none(self) -> None:
        check = checks()
        assert check.outcome is Outcome.SKIPPED
        assert check.explanation == "the server stapled no OCSP response, and nothing is fetched"

    def test_where_to_ask_is_told(self) -> None:
        access = x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(
                    x509.oid.AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier("http://ocsp.test/")
                )
            ]
        )
        uri = x509.UniformResourceIdentifier("http://crl.test/")
        points = x509.CRLDistributionPoints([x509.DistributionPoint([uri], None, None, None)])
        chain = pki.chain(pki.leaf(extra=((access, False), (points, False))))
        assert ("OCSP responder", "http://ocsp.test/") in checks(chain).inputs
        assert ("revocation list", "named in the certificate") in checks(chain).inputs

    def test_unbelievable_is_only_a_warning_as_in_browsers(self) -> None:
        check = checks(ocsp_response=b"noise")
        assert check.outcome is Outcome.WARNED
        assert check.explanation.startswith("the stapled response cannot be read")

    def test_leaf_as_anchor(self) -> None:
        check = checks(anchors=(GOOD.leaf,), ocsp_response=REVOKED.der())
        assert check.outcome is Outcome.SKIPPED
        assert "without the issuer's certificate" in check.explanation

    @pytest.mark.parametrize("response", [None, b"noise"])
    def test_must_staple(self, response: bytes | None) -> None:
        chain = pki.chain(pki.leaf(extra=((MUST_STAPLE, False),)))
        assert checks(chain, ocsp_response=response).outcome is Outcome.WARNED
        with pytest.raises(CertificateRefused, match="must-staple"):
            checks(chain, ocsp_response=response, policy=Policy(strict=True))
        with pytest.raises(CertificateRefused, match="must-staple"):
            pki.verifier(chain.root, policy=Policy(strict=True)).verify(
                chain.sent, "example.com", ocsp_response=response
            )

    def test_must_staple_is_kept(self) -> None:
        chain = pki.chain(pki.leaf(extra=((MUST_STAPLE, False),)))
        answer = replace(Answer(), about=chain.leaf, issuer=chain.intermediate, signer=chain.intermediate).der()
        assert checks(chain, ocsp_response=answer, policy=Policy(strict=True)).outcome is Outcome.PASSED


def test_a_key_that_cannot_sign_responses_is_no_responder() -> None:
    chain = pki.chain(intermediate_recipe=pki.intermediate(key=pki.key("mldsa44")))
    assert not isinstance(chain.intermediate.key, ed25519.Ed25519PrivateKey)
    by_name = ocsp.OCSPResponderEncoding.NAME
    data = replace(Answer(), about=chain.leaf, issuer=chain.intermediate, by=by_name).der()
    assert "is not signed by" in read(data, chain).problem


def test_only_the_first_answers_of_a_response_are_looked_at() -> None:
    leaf, issuer = (ParsedCertificate.from_x509(one.certificate) for one in (GOOD.leaf, GOOD.intermediate))
    right = next(iter(ocsp.load_der_ocsp_response(Answer().der()).responses))
    wrong = next(iter(ocsp.load_der_ocsp_response(Answer(about=OTHER.leaf).der()).responses))
    early = SimpleNamespace(responses=iter([*[wrong] * (MOST_RESPONSES - 1), right]))
    assert _response_for(early, leaf, issuer) is right  # type: ignore[arg-type]
    endless = SimpleNamespace(responses=itertools.repeat(wrong))
    with pytest.raises(_Unbelievable, match="is about another certificate"):
        _response_for(endless, leaf, issuer)  # type: ignore[arg-type]

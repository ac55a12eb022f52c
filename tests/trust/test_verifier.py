"""The verifiers as the engine sees them."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest
from cryptography import x509

from glasslock.errors import CertificateRefused, ConfigurationError, GlasslockError
from glasslock.registry import AlertDescription, Side
from glasslock.trace import CertificatesReceived, CheckRan, Outcome, PathTried, TraceRecord, VerdictReached
from glasslock.trust import (
    ClientCertificateVerifier,
    Kind,
    Policy,
    ServerCertificateVerifier,
    TrustStore,
    Verdict,
    VerifiedChainCache,
    explain,
)
from glasslock.trust import verifier as module
from glasslock.trust.stores import Anchors

from . import pki
from .pki import CLIENT, DAY, NOW, Chain

GOOD = pki.chain()


def refused(verifier: Any, chain: list[bytes], *arguments: Any, **options: Any) -> Verdict:
    with pytest.raises(CertificateRefused) as caught:
        verifier.verify(chain, *arguments, **options)
    assert isinstance(caught.value.evidence, Verdict)
    return caught.value.evidence


class TestServer:
    """Verifying a server."""

    @pytest.mark.parametrize("name", ["example.com", "EXAMPLE.com.", "www.example.com", "192.0.2.1", "::1", "[::1]"])
    def test_accepted(self, name: str) -> None:
        addresses = [x509.IPAddress(module.ServerName.parse(text).address) for text in ("192.0.2.1", "::1")]  # type: ignore[arg-type]
        names = (x509.DNSName("example.com"), x509.DNSName("*.example.com"), *addresses)
        chain = pki.chain(pki.leaf(names=names))
        assert pki.verifier(chain.root).verify(chain.sent, name) is None  # type: ignore[func-returns-value]

    @pytest.mark.parametrize(
        "sent",
        [
            [GOOD.leaf.der, GOOD.intermediate.der, GOOD.root.der],
            [GOOD.leaf.der, GOOD.root.der, GOOD.intermediate.der],
            [GOOD.leaf.der, pki.mint(pki.root("Stranger")).der, GOOD.intermediate.der],
            [GOOD.leaf.der, b"noise", GOOD.intermediate.der],
            [GOOD.leaf.der, GOOD.intermediate.der, GOOD.intermediate.der, GOOD.leaf.der],
        ],
    )
    def test_order_junk_and_copies_do_no_harm(self, sent: list[bytes]) -> None:
        pki.verifier(GOOD.root).verify(sent, "example.com")

    def test_idna(self) -> None:
        chain = pki.chain(pki.leaf("xn--bcher-kva.example"))
        pki.verifier(chain.root).verify(chain.sent, "bücher.example")

    def test_a_name_is_required(self) -> None:
        with pytest.raises(ConfigurationError, match="none was given"):
            pki.verifier(GOOD.root).verify(GOOD.sent, None)

    def test_any_name_only_if_the_policy_says_that_it_is_dangerous(self) -> None:
        verifier = pki.verifier(GOOD.root, policy=Policy(dangerous_any_name=True))
        verifier.verify(GOOD.sent, None)
        verifier.verify(GOOD.sent, "wrong.example")
        client = pki.chain(pki.leaf(extended=(CLIENT,)))
        assert refused(pki.verifier(client.root, policy=Policy(dangerous_any_name=True)), client.sent, None).kind is (
            Kind.WRONG_PURPOSE
        )

    @pytest.mark.parametrize("strict", [False, True])
    def test_where_any_name_will_do_none_has_to_be_there(self, strict: bool) -> None:
        nameless = pki.chain(pki.leaf(names=None))
        pki.verifier(nameless.root, policy=Policy(dangerous_any_name=True, strict=strict)).verify(nameless.sent, None)
        assert refused(pki.verifier(nameless.root), nameless.sent, "example.com").kind is Kind.WRONG_NAME

    def test_no_certificate(self) -> None:
        verdict = refused(pki.verifier(GOOD.root), [], "example.com")
        assert verdict.kind is Kind.INVALID
        assert verdict.alert is AlertDescription.BAD_CERTIFICATE
        assert verdict.cause == "no certificate was sent"
        assert verdict.fix == "send a certificate that can be read"
        assert verdict.paths == ()

    def test_unreadable_leaf(self) -> None:
        verdict = refused(pki.verifier(GOOD.root), [b"noise", *GOOD.sent], "example.com")
        assert verdict.kind is Kind.INVALID
        assert verdict.code == "NET::ERR_CERT_INVALID"
        assert "not a readable certificate" in verdict.cause
        assert verdict.others_say == ()

    def test_unreadable_intermediate_is_mentioned(self) -> None:
        verdict = refused(pki.verifier(GOOD.root), [GOOD.leaf.der, b"noise"], "example.com")
        assert verdict.kind is Kind.UNKNOWN_ROOT
        assert verdict.checks[0].outcome is Outcome.WARNED
        assert verdict.checks[0].explanation.startswith("certificate 2: this is not a readable certificate")

    def test_lifetime(self) -> None:
        chain = pki.chain(pki.leaf(not_before=NOW - DAY, not_after=NOW + 300 * DAY))
        store = TrustStore("public", lambda: Anchors((chain.root.certificate,), frozenset({chain.root.certificate})))
        verdict = refused(ServerCertificateVerifier(store, clock=pki.clock), chain.sent, "example.com")
        assert verdict.kind is Kind.LIFETIME_TOO_LONG
        assert verdict.alert is AlertDescription.CERTIFICATE_UNKNOWN
        assert verdict.code == "NET::ERR_CERT_VALIDITY_TOO_LONG"
        assert verdict.cause == (
            "the certificate of example.com is valid for 301 days, but a public CA may give at most 200 days"
        )
        assert verdict.details.endswith("whose validity period is too long to be trustworthy.")
        pki.verifier(chain.root).verify(chain.sent, "example.com")

    def test_too_many_intermediates(self) -> None:
        pki.verifier(GOOD.root, policy=Policy(max_intermediates=1)).verify(GOOD.sent, "example.com")
        verdict = refused(pki.verifier(GOOD.root, policy=Policy(max_intermediates=0)), GOOD.sent, "example.com")
        assert verdict.paths[0].problem

    def test_the_system_clock_is_the_default(self) -> None:
        old = pki.chain(pki.leaf(not_before=NOW - 4000 * DAY, not_after=NOW - 3900 * DAY))
        assert refused(ServerCertificateVerifier(old.store), old.sent, "example.com").kind is Kind.EXPIRED

    @pytest.mark.parametrize("flag", ["always", "error"])
    def test_nothing_is_warned_about_on_the_terminal(self, flag: str) -> None:
        negative = pki.rebuild_der(
            GOOD.leaf, GOOD.intermediate.key, lambda fields: [fields[0], pki.tlv(2, b"\xff"), *fields[2:]]
        )
        country = pki.tlv(0x30, pki.tlv(0x31, pki.tlv(0x30, bytes.fromhex("0603550406") + pki.tlv(0x13, b"LONG"))))
        long_country = pki.rebuild_der(
            GOOD.leaf, GOOD.intermediate.key, lambda fields: [*fields[:5], country, *fields[6:]]
        )
        program = f"""
import sys
from glasslock.errors import CertificateRefused
from glasslock.trust import ServerCertificateVerifier, TrustStore
verifier = ServerCertificateVerifier(TrustStore.from_certificates([{GOOD.root.der!r}]), clock=lambda: {pki.clock()})
for leaf in ({negative!r}, {long_country!r}):
    try:
        verifier.verify([leaf, {GOOD.intermediate.der!r}], "other.example")
    except CertificateRefused as refused:
        print(refused.code)
"""
        run = subprocess.run([sys.executable, "-W", flag, "-c", program], capture_output=True, text=True, check=True)
        assert (run.stdout.split(), run.stderr) == (["invalid", "wrong-name"], "")

    def test_whatever_the_verifier_stumbles_over_is_a_refusal(self) -> None:
        country = pki.tlv(0x30, pki.tlv(0x31, pki.tlv(0x30, bytes.fromhex("0603550406") + pki.tlv(0x13, b"LONG"))))
        named = pki.rebuild(GOOD.leaf, GOOD.intermediate.key, lambda fields: [*fields[:5], country, *fields[6:]])
        # pytest makes an error of the warning that the verifier gives while it words its own refusal.
        assert refused(pki.verifier(GOOD.root), [named.der, GOOD.intermediate.der], "x.example").kind is Kind.WRONG_NAME


class TestTrustedLeaf:
    """A leaf that is itself in the trust store: `--ca self-signed.pem`."""

    @pytest.mark.parametrize(
        "recipe",
        [
            pki.leaf(),
            pki.leaf(ca=True, usage=None, extended=None, authority_identifier=None),
            pki.leaf(usage=pki.key_usage("key_cert_sign", "digital_signature")),
        ],
    )
    @pytest.mark.parametrize("strict", [False, True])
    def test_accepted(self, recipe: pki.Recipe, strict: bool) -> None:
        leaf = pki.mint(recipe)
        pki.verifier(leaf, policy=Policy(strict=strict)).verify([leaf.der], "example.com")

    @pytest.mark.parametrize(
        ("changes", "host", "kind"),
        [
            ({}, "other.example", Kind.WRONG_NAME),
            ({"not_after": NOW - DAY}, "example.com", Kind.EXPIRED),
            ({"extended": (CLIENT,)}, "example.com", Kind.WRONG_PURPOSE),
            ({"key": pki.key("rsa1024")}, "example.com", Kind.WEAK_KEY),
        ],
    )
    def test_all_else_still_counts(self, changes: dict[str, Any], host: str, kind: Kind) -> None:
        leaf = pki.mint(pki.leaf(**changes))
        assert refused(pki.verifier(leaf), [leaf.der], host).kind is kind

    def test_its_issuer_need_not_be_trusted(self) -> None:
        pki.verifier(GOOD.leaf).verify(GOOD.sent, "example.com")

    def test_another_certificate_of_the_same_key_is_not_it(self) -> None:
        leaf, other = pki.mint(pki.leaf()), pki.mint(pki.leaf())
        assert refused(pki.verifier(leaf), [other.der], "example.com").padlock is False


def client_chain(**changes: Any) -> Chain:
    return pki.chain(pki.client(**changes))


class TestClient:
    """Verifying a client."""

    def test_accepted_without_any_name(self) -> None:
        chain = client_chain()
        ClientCertificateVerifier(chain.store, clock=pki.clock).verify(chain.sent)
        ClientCertificateVerifier(chain.store, clock=pki.clock, policy=Policy(strict=True)).verify(chain.sent)

    @pytest.mark.parametrize(
        ("changes", "kind", "alert"),
        [
            ({"extended": (pki.SERVER,)}, Kind.WRONG_PURPOSE, AlertDescription.UNSUPPORTED_CERTIFICATE),
            ({"not_after": NOW - DAY}, Kind.EXPIRED, AlertDescription.CERTIFICATE_EXPIRED),
            ({"key": pki.key("rsa1024")}, Kind.WEAK_KEY, AlertDescription.BAD_CERTIFICATE),
        ],
    )
    def test_refused(self, changes: dict[str, Any], kind: Kind, alert: AlertDescription) -> None:
        chain = client_chain(**changes)
        verdict = refused(ClientCertificateVerifier(chain.store, clock=pki.clock), chain.sent, "shop.example")
        assert (verdict.kind, verdict.alert) == (kind, alert)
        assert verdict.code == "ERR_BAD_SSL_CLIENT_AUTH_CERT"
        assert verdict.message.startswith("shop.example didn\u2019t accept your login certificate")
        assert verdict.cause.startswith("the client's certificate was refused: ")
        assert not verdict.may_proceed
        assert verdict.others_say == ()

    def test_unknown_root(self) -> None:
        stranger = pki.store(pki.mint(pki.root("Stranger", 190)))
        verdict = refused(ClientCertificateVerifier(stranger, clock=pki.clock), client_chain().sent)
        assert (verdict.kind, verdict.alert) == (Kind.UNKNOWN_ROOT, AlertDescription.UNKNOWN_CA)
        assert verdict.message.startswith("The server didn")

    def test_no_certificate(self) -> None:
        verdict = refused(ClientCertificateVerifier(GOOD.store, clock=pki.clock), [])
        assert verdict.code == "ERR_BAD_SSL_CLIENT_AUTH_CERT"

    def test_side_and_story(self) -> None:
        chain = client_chain()
        seen: list[TraceRecord] = []
        ClientCertificateVerifier(chain.store, clock=pki.clock).verify(chain.sent, observer=seen.append)
        assert {record.side for record in seen} == {Side.SERVER}
        assert "name" not in {record.name for record in seen if isinstance(record, CheckRan)}


class TestStory:
    """What an observer is told."""

    def test_in_order(self) -> None:
        seen: list[TraceRecord] = []
        pki.verifier(GOOD.root).verify(
            GOOD.sent, "example.com", ocsp_response=b"o", sct_list=b"s", observer=seen.append, side=Side.SERVER
        )
        kinds = [type(record) for record in seen]
        assert kinds[0] is CertificatesReceived
        assert kinds[-1] is VerdictReached
        assert kinds.index(PathTried) < kinds.index(CheckRan)
        assert {record.time for record in seen} == {pki.clock()}
        assert {record.side for record in seen} == {Side.SERVER}
        received = seen[0]
        assert isinstance(received, CertificatesReceived)
        assert (list(received.chain), received.ocsp_response, received.sct_list) == (GOOD.sent, b"o", b"s")

    def test_the_same_on_refusal(self) -> None:
        seen: list[TraceRecord] = []
        verdict = refused(pki.verifier(GOOD.root), GOOD.sent, "other.example", observer=seen.append)
        assert [record for record in seen if isinstance(record, PathTried)] == list(verdict.paths)
        assert [record for record in seen if isinstance(record, CheckRan)] == list(verdict.checks)
        assert seen[-1] == verdict.as_record(pki.clock(), Side.CLIENT)

    def test_nothing_is_explained_if_all_is_well_and_nobody_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def never(*_arguments: object) -> None:
            raise AssertionError("explained")

        monkeypatch.setattr(explain, "tell", never)
        pki.verifier(GOOD.root).verify(GOOD.sent, "example.com")
        with pytest.raises(AssertionError, match="explained"):
            pki.verifier(GOOD.root).verify(GOOD.sent, "other.example")

    def test_the_anchors_own_list_is_named(self) -> None:
        one = TrustStore.from_certificates([pki.mint(pki.root("One")).der], "list one")
        two = TrustStore.from_certificates([GOOD.root.der], "list two")
        seen: list[TraceRecord] = []
        verifier = ServerCertificateVerifier(TrustStore.merged(one, two), clock=pki.clock)
        verifier.verify(GOOD.sent, "example.com", observer=seen.append)
        assert seen[-1].store == "list two"  # type: ignore[attr-defined]
        assert refused(verifier, GOOD.sent[:1], "example.com").store == "list one and list two"


def test_if_explanation_and_decision_ever_disagree_it_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise module.Refused("because")

    monkeypatch.setattr(module, "decide", refuse)
    verdict = refused(pki.verifier(GOOD.root), GOOD.sent, "example.com")
    assert (verdict.kind, verdict.checks[-1].name, verdict.checks[-1].explanation) == (
        Kind.INVALID,
        "verifier",
        "because",
    )


class TestRemember:
    """The cache of verified chains."""

    @staticmethod
    def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
        calls: list[int] = []
        genuine = module.decide

        def count(*arguments: Any) -> Any:
            calls.append(1)
            return genuine(*arguments)

        monkeypatch.setattr(module, "decide", count)
        return calls

    def test_off_by_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = self.counting(monkeypatch)
        verifier = pki.verifier(GOOD.root)
        for _ in range(3):
            verifier.verify(GOOD.sent, "example.com")
        assert len(calls) == 3

    def test_the_same_is_remembered_for_its_lifetime(self, monkeypatch: pytest.MonkeyPatch) -> None:
        calls = self.counting(monkeypatch)
        now = [pki.clock()]
        verifier = pki.verifier(GOOD.root, remember=VerifiedChainCache(lifetime=60), clock=lambda: now[0])
        for seconds, expected in ((0, 1), (59, 1), (60, 2), (61, 2), (-1, 3)):
            now[0] = pki.clock() + seconds
            verifier.verify(GOOD.sent, "example.com")
            assert len(calls) == expected, seconds

    def test_not_beyond_the_end_of_a_certificate(self) -> None:
        now = [pki.clock()]
        chain = pki.chain(pki.leaf(not_after=NOW + pki.dt.timedelta(seconds=10)))
        verifier = pki.verifier(chain.root, remember=VerifiedChainCache(lifetime=3600), clock=lambda: now[0])
        verifier.verify(chain.sent, "example.com")
        now[0] += 11
        assert refused(verifier, chain.sent, "example.com").kind is Kind.EXPIRED

    @pytest.mark.parametrize(
        ("chain", "name", "options"),
        [
            (GOOD.sent, "www.example.com", {}),
            ([*GOOD.sent, GOOD.root.der], "example.com", {}),
            (GOOD.sent, "example.com", {"ocsp_response": b"noise"}),
        ],
    )
    def test_anything_else_is_decided_anew(
        self, chain: list[bytes], name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls = self.counting(monkeypatch)
        verifier = pki.verifier(GOOD.root, remember=VerifiedChainCache())
        verifier.verify(GOOD.sent, "example.com")
        try:
            verifier.verify(chain, name, **options)
        except CertificateRefused:
            assert name != "example.com"
        assert len(calls) == 2

    def test_stores_policies_and_purposes_are_kept_apart(self) -> None:
        cache = VerifiedChainCache()
        both = pki.chain(pki.leaf(extended=(pki.SERVER, CLIENT), authority_identifier=None))
        store = both.store
        ServerCertificateVerifier(store, clock=pki.clock, remember=cache).verify(both.sent, "example.com")
        strict = ServerCertificateVerifier(store, clock=pki.clock, remember=cache, policy=Policy(strict=True))
        assert refused(strict, both.sent, "example.com").kind is Kind.INVALID
        empty = ServerCertificateVerifier(TrustStore("none", Anchors), clock=pki.clock, remember=cache)
        assert refused(empty, both.sent, "example.com").kind is Kind.UNKNOWN_ROOT
        ClientCertificateVerifier(store, clock=pki.clock, remember=cache).verify(both.sent)
        assert len(cache) == 2

    def test_a_refusal_is_not_remembered(self) -> None:
        cache = VerifiedChainCache()
        refused(pki.verifier(GOOD.root, remember=cache), GOOD.sent, "other.example")
        assert len(cache) == 0

    def test_a_listener_hears_of_a_check_and_not_of_a_memory(self) -> None:
        verifier = pki.verifier(GOOD.root, remember=VerifiedChainCache())
        verifier.verify(GOOD.sent, "example.com")
        seen: list[TraceRecord] = []
        verifier.verify(GOOD.sent, "example.com", observer=seen.append)
        assert any(isinstance(record, CheckRan) for record in seen)

    def test_bounded_the_least_recently_used_goes_first(self) -> None:
        cache = VerifiedChainCache(max_entries=2)
        cache.remember("a", 0, 100)
        cache.remember("b", 0, 100)
        assert cache.holds("a", 1)
        cache.remember("c", 0, 100)
        assert len(cache) == 2
        assert cache.holds("a", 1)
        assert not cache.holds("b", 1)

    def test_forget(self) -> None:
        cache = VerifiedChainCache()
        cache.remember("a", 0, 100)
        cache.forget()
        assert not cache.holds("a", 1)

    @pytest.mark.parametrize("options", [{"lifetime": 0}, {"lifetime": -1}, {"max_entries": 0}])
    def test_nonsense(self, options: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match="must be positive"):
            VerifiedChainCache(**options)

    def test_from_many_threads(self) -> None:
        verifier = pki.verifier(GOOD.root, remember=VerifiedChainCache(max_entries=3))
        errors: list[BaseException] = []

        def work() -> None:
            try:
                for number in range(50):
                    verifier.verify([*GOOD.sent, bytes([number % 7])], "example.com")
            except BaseException as error:  # noqa: BLE001 - told to the test
                errors.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []


def test_policy_bounds() -> None:
    for value in (-1, 256):
        with pytest.raises(ValueError, match="between 0 and 255"):
            Policy(max_intermediates=value)
    assert issubclass(ConfigurationError, GlasslockError)

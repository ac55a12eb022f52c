"""Step 2 as the engine asks for it: take a chain, return if it is good, raise with all the evidence if not."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Hashable, Sequence
from typing import NamedTuple

from cryptography import x509

from glasslock.errors import CertificateRefused, ConfigurationError
from glasslock.registry import Side
from glasslock.trace import CertificatesReceived, Observer

from .cache import VerifiedChainCache
from .decide import Decision, Received, Refused, decide, read_chain
from .names import InvalidServerName, ServerName
from .policy import DEFAULT_POLICY, Policy, Purpose
from .situation import Situation
from .stores import TrustStore
from .text import utc
from .verdict import Moment, Verdict

Clock = Callable[[], float]


class _Audience(NamedTuple):
    """Who is told, and when and about whom the story is."""

    moment: Moment
    host: str
    observer: Observer | None
    hsts: bool = False


class _Verifier:
    """What verifying a server and verifying a client have in common."""

    def __init__(self, store: TrustStore, policy: Policy, clock: Clock, remember: VerifiedChainCache | None) -> None:
        self.store = store
        self.policy = policy
        self._clock = clock
        self._remember = remember

    def _verify(self, chain: Sequence[bytes], situation: Situation, audience: _Audience, key: Hashable | None) -> None:
        """Decide; explain only if something was refused or somebody listens. `key` is what it is remembered under."""
        received = read_chain(chain)
        if audience.observer is not None:
            audience.observer(_arrival(received, situation, audience.moment))
        try:
            decision = Decision(path=decide(received, situation))
        except Refused as refusal:
            decision = Decision(refusal=str(refusal))
        if decision.path and audience.observer is None:
            if self._remember is not None:
                self._remember.remember(key, audience.moment.time, _end(decision.path))
            return
        verdict = _explain(received, situation, decision, audience)
        if not verdict.padlock:
            refused = CertificateRefused(verdict.alert, verdict.kind.value, verdict.cause, verdict.rule)
            refused.evidence = verdict
            raise refused

    def _key(self, observer: Observer | None, chain: Sequence[bytes], *rest: object) -> Hashable | None:
        """Everything that a decision rests on, apart from the time; None where nothing is remembered.

        With somebody listening nothing is taken from memory: the story is of what was checked now.
        """
        if self._remember is None or observer is not None:
            return None
        return (*(hashlib.sha256(data).digest() for data in chain), self.policy, self.store, *rest)

    def _remembers(self, key: Hashable | None, now: float) -> bool:
        return key is not None and self._remember is not None and self._remember.holds(key, now)


class ServerCertificateVerifier(_Verifier):
    """Is this server who it says it is?

    `store`: whom to believe. `policy`: what to insist on. `clock`: seconds since the Unix epoch. `remember`: a cache
    of chains that were good a short time ago; None, the default, remembers nothing. `is_hsts`: whether a host has
    promised HTTPS, so that nobody is offered to proceed. A verifier holds no state of a connection: one can serve
    any number of them, in any number of threads.
    """

    def __init__(
        self,
        store: TrustStore,
        *,
        policy: Policy = DEFAULT_POLICY,
        clock: Clock = time.time,
        remember: VerifiedChainCache | None = None,
        is_hsts: Callable[[str], bool] | None = None,
    ) -> None:
        super().__init__(store, policy, clock, remember)
        self._is_hsts = is_hsts

    def verify(
        self,
        chain: Sequence[bytes],
        server_name: str | None,
        *,
        ocsp_response: bytes | None = None,
        sct_list: bytes | None = None,
        observer: Observer | None = None,
        side: Side = Side.CLIENT,
    ) -> None:
        """Accept a server's chain (DER, leaf first) for the name that was asked for, or raise.

        `ocsp_response` and `sct_list` are what the server stapled to its certificate. CertificateRefused carries the
        alert to send and, as `evidence`, the `Verdict` with everything that was seen. ConfigurationError if there is
        no name, unless the policy says `dangerous_any_name`.
        """
        name, problem = self._name(server_name)
        now = self._clock()
        key = self._key(observer, chain, Purpose.SERVER, name, problem, ocsp_response)
        if self._remembers(key, now):
            return
        host = server_name or (name.text if name is not None else "")
        situation = Situation(
            store=self.store,
            policy=self.policy,
            purpose=Purpose.SERVER,
            now=utc(now),
            name=name,
            name_problem=problem,
            ocsp_response=ocsp_response,
            sct_list=sct_list,
        )
        hsts = self._is_hsts is not None and self._is_hsts(host)
        self._verify(chain, situation, _Audience(Moment(now, side), host, observer, hsts), key)

    def _name(self, server_name: str | None) -> tuple[ServerName | None, str]:
        """The name to compare, or why there can be no certificate for it."""
        if self.policy.dangerous_any_name:
            return None, ""
        if server_name is None:
            raise ConfigurationError("a server's certificate is verified for a name, and none was given")
        try:
            return ServerName.parse(server_name), ""
        except InvalidServerName as error:
            return None, str(error)


class ClientCertificateVerifier(_Verifier):
    """Is this client's certificate one that the server accepts? Who the client is, its names say; none is compared.

    The arguments are those of `ServerCertificateVerifier`.
    """

    def __init__(
        self,
        store: TrustStore,
        *,
        policy: Policy = DEFAULT_POLICY,
        clock: Clock = time.time,
        remember: VerifiedChainCache | None = None,
    ) -> None:
        super().__init__(store, policy, clock, remember)

    def verify(
        self,
        chain: Sequence[bytes],
        server_name: str | None = None,
        *,
        ocsp_response: bytes | None = None,
        sct_list: bytes | None = None,
        observer: Observer | None = None,
        side: Side = Side.SERVER,
    ) -> None:
        """Accept a client's chain (DER, leaf first), or raise CertificateRefused as for a server's.

        `server_name` is the server's own, for the wording; it is not compared with anything.
        """
        now = self._clock()
        key = self._key(observer, chain, Purpose.CLIENT, ocsp_response)
        if self._remembers(key, now):
            return
        situation = Situation(
            store=self.store,
            policy=self.policy,
            purpose=Purpose.CLIENT,
            now=utc(now),
            ocsp_response=ocsp_response,
            sct_list=sct_list,
        )
        self._verify(chain, situation, _Audience(Moment(now, side), server_name or "", observer), key)


def _arrival(received: Received, situation: Situation, moment: Moment) -> CertificatesReceived:
    return CertificatesReceived(
        time=moment.time,
        side=moment.side,
        chain=received.chain,
        ocsp_response=situation.ocsp_response,
        sct_list=situation.sct_list,
    )


def _explain(received: Received, situation: Situation, decision: Decision, audience: _Audience) -> Verdict:
    from .explain import reach_verdict, tell  # all that takes time to import is in here

    moment = audience.moment
    story = tell(situation, received, decision, moment)
    verdict = reach_verdict(situation, received, story, audience.host, moment)
    if audience.hsts:
        verdict = verdict.on_hsts_host()
    observer = audience.observer
    if observer is not None:
        for record in (*verdict.paths, *verdict.checks, verdict.as_record(moment.time, moment.side)):
            observer(record)
    return verdict


def _end(path: Sequence[x509.Certificate]) -> float:
    """When the first certificate of a path expires, in seconds since the epoch."""
    return min(certificate.not_valid_after_utc for certificate in path).timestamp()

"""Traces to look at: real handshakes of the engine, with the steps around it written by hand."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from glasslock.errors import CertificateRefused, TLSError
from glasslock.registry import AlertDescription, NamedGroup, ProtocolVersion, Side
from glasslock.tls import (
    ClientConfig,
    ClientConnection,
    Credential,
    ServerConfig,
    ServerConnection,
    Session,
    TicketKeys,
    TicketReceived,
)
from glasslock.tls.config import DEFAULT_GROUPS
from glasslock.trace import (
    BodyReceived,
    CheckRan,
    ConnectAttempted,
    HttpRequest,
    HttpResponse,
    NameResolved,
    Note,
    Outcome,
    PathTried,
    Step,
    TcpConnected,
    TcpInfo,
    TcpPacket,
    TraceRecord,
    VerdictReached,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from glasslock.trace import Observer

START = dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)
T0 = START.timestamp()
HOST = "shop.localhost"
URL = f"https://{HOST}:8443/basket"
STORE = "the local root (~/.local/share/glasslock/root.pem)"
REQUEST = (
    f"GET /basket HTTP/1.1\r\nHost: {HOST}:8443\r\nUser-Agent: glasslock/0.1\r\n"
    "Accept: text/html\r\nCookie: session=4f1d; user=alice\r\n\r\n"
).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 64\r\n\r\n"
    b"<!doctype html>\n<title>Your basket</title>\n<p>One padlock, 3.50\n"
)
TICKETS = TicketKeys()


class Clock:
    """Each look at it is a little later than the one before."""

    def __init__(self, start: float = T0) -> None:
        self.now = start

    def __call__(self, milliseconds: float = 0.05) -> float:
        self.now += milliseconds / 1000
        return self.now


# --- certificates -----------------------------------------------------------------------------------


@cache
def authority(days: int = 60) -> tuple[tuple[bytes, bytes, bytes], ec.EllipticCurvePrivateKey]:
    """Leaf, intermediate and root, and the leaf's key; the leaf ends `days` after the visit."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [
        x509.Name.from_rfc4514_string(text)
        for text in (f"CN={HOST}", "CN=Glasslock Intermediate,O=Glasslock", "CN=Glasslock Root,O=Glasslock")
    ]
    made = []
    for i in range(3):
        issuer = min(i + 1, 2)
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[i])
            .issuer_name(names[issuer])
            .public_key(keys[i].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(START - dt.timedelta(days=100 + 100 * i))
            .not_valid_after(START + dt.timedelta(days=(days, 1800, 3650)[i]))
            .add_extension(x509.BasicConstraints(ca=i > 0, path_length=None), critical=True)
        )
        if i == 0:
            san = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.DNSName(f"www.{HOST}")])
            usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
            builder = builder.add_extension(san, critical=False).add_extension(usage, critical=False)
        made.append(builder.sign(keys[issuer], hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    return (made[0], made[1], made[2]), keys[0]


class Verifier:
    """Tells of a few checks and, if `failed` is set, refuses for that one."""

    def __init__(self, clock: Clock, chain: tuple[bytes, ...], failed: CheckRan | None) -> None:
        self.clock, self.chain, self.failed = clock, chain, failed

    def verify(
        self, chain: Sequence[bytes], server_name: str | None, *, observer: Observer | None, **_: object
    ) -> None:
        assert chain[0] == self.chain[0]
        assert server_name == HOST
        assert observer is not None
        for name, position in (("signature", 0), ("signature", 1), ("name", 0), ("dates", 1), ("dates", 0)):
            if self.failed is None or (self.failed.name, self.failed.certificate) != (name, position):
                observer(check(self.clock, name, position, inputs=(("now", "2026-11-24 09:30 UTC"),)))
        observer(check(self.clock, "revocation", 0, Outcome.SKIPPED, "the server stapled no response"))
        if self.failed is not None:
            observer(self.failed)
        problem = self.failed.explanation if self.failed is not None else ""
        observer(PathTried(time=self.clock(), side=Side.CLIENT, path=self.chain, problem=problem))
        observer(self._verdict())
        if self.failed is not None:
            alert = AlertDescription.CERTIFICATE_EXPIRED
            raise CertificateRefused(alert, "expired", "the certificate was not accepted", "RFC 5280")

    def _verdict(self) -> VerdictReached:
        if self.failed is None:
            return VerdictReached(
                time=self.clock(),
                side=Side.CLIENT,
                padlock=True,
                kind="trusted",
                code="",
                headline="Connection is secure",
                cause="",
                who_can_fix="nobody: nothing is wrong",
                fix="",
                may_proceed=True,
                store=STORE,
            )
        return VerdictReached(
            time=self.clock(),
            side=Side.CLIENT,
            padlock=False,
            kind="expired",
            code="NET::ERR_CERT_DATE_INVALID",
            headline="Your connection is not private",
            message=f"Attackers might be trying to steal your information from {HOST}.",
            details="Its security certificate expired 12 days ago.",
            cause=f"the certificate of {HOST} expired 12 days ago",
            who_can_fix="the site's operator",
            fix="renew it and reload the server: certbot renew && nginx -s reload",
            may_proceed=True,
            store=STORE,
            others_say=(
                ("Chrome", "NET::ERR_CERT_DATE_INVALID"),
                ("Firefox", "SEC_ERROR_EXPIRED_CERTIFICATE: Peer's Certificate has expired."),
                ("curl", "curl: (60) SSL certificate problem: certificate has expired"),
                ("Python", "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: certificate has expired"),
            ),
        )


def check(
    clock: Clock,
    name: str,
    certificate: int | None,
    outcome: Outcome = Outcome.PASSED,
    explanation: str = "",
    inputs: tuple[tuple[str, str], ...] = (),
) -> CheckRan:
    return CheckRan(
        time=clock(),
        side=Side.CLIENT,
        rule="RFC 5280 section 6.1.3",
        name=name,
        outcome=outcome,
        certificate=certificate,
        subject=(HOST, "Glasslock Intermediate", "Glasslock Root")[certificate or 0],
        inputs=inputs,
        explanation=explanation,
    )


# --- a visit ----------------------------------------------------------------------------------------


def reach(clock: Clock, *, captured: bool = False) -> list[TraceRecord]:
    info = TcpInfo(
        rtt=0.0213,
        rtt_variance=0.0031,
        send_mss=1448,
        receive_mss=1448,
        path_mtu=1500,
        send_window_scale=7,
        receive_window_scale=7,
        sack=True,
        timestamps=True,
        ecn=False,
        retransmits=0,
        congestion_window=10,
    )
    failed, passed = Outcome.FAILED, Outcome.PASSED
    return [
        NameResolved(time=clock(4.2), side=Side.CLIENT, host=HOST, addresses=("::1", "127.0.0.1"), seconds=0.0042),
        ConnectAttempted(
            time=clock(),
            side=Side.CLIENT,
            address="::1",
            port=8443,
            outcome=failed,
            seconds=4e-4,
            error="connection refused",
        ),
        ConnectAttempted(
            time=clock(21.4), side=Side.CLIENT, address="127.0.0.1", port=8443, outcome=passed, seconds=0.0214
        ),
        TcpConnected(
            time=clock(),
            side=Side.CLIENT,
            local=("127.0.0.1", 51514),
            remote=("127.0.0.1", 8443),
            seconds=0.0214,
            info=info,
            packets=packets() if captured else (),
            unknown="" if captured else "the packets themselves: capturing them needs root or CAP_NET_RAW",
        ),
    ]


def packets() -> tuple[TcpPacket, ...]:
    options = ("MSS 1460", "SACK permitted", "timestamp 7 echo 0", "NOP", "window scale 7")
    turns = (("sent", "SYN", options), ("received", "SYN ACK", options), ("sent", "ACK", ()))
    return tuple(
        TcpPacket(
            time=T0 + 0.001 * i,
            direction=direction,
            flags=flags,
            sequence=1000 + i,
            acknowledgment=i,
            window=64240,
            options=told,
            raw=bytes(range(40)),
        )
        for i, (direction, flags, told) in enumerate(turns)
    )


class Visit:
    """A client and a server in one room, each telling its side."""

    def __init__(
        self,
        *,
        days: int = 60,
        versions: tuple[int, ...] = (ProtocolVersion.TLS_1_3, ProtocolVersion.TLS_1_2),
        alpn: str = "http/1.1",
        captured: bool = False,
        session: Session | None = None,
        groups: tuple[int, ...] = DEFAULT_GROUPS,
    ) -> None:
        self.clock = Clock(T0 if session is None else T0 + 60)
        self.seen: list[TraceRecord] = reach(self.clock, captured=captured)
        self.served: list[TraceRecord] = [self._accepted()]
        chain, key = authority(days)
        failed = self._expired() if days < 0 else None
        credential = Credential.from_key(chain[:2], key)
        self.server = ServerConnection(
            ServerConfig(
                credentials=(credential,),
                alpn_protocols=(alpn,),
                versions=versions,
                groups=groups,
                ticket_keys=TICKETS,
                observer=self.served.append,
                clock=self.clock,
            )
        )
        self.client = ClientConnection(
            ClientConfig(
                verifier=Verifier(self.clock, chain, failed),
                alpn_protocols=("h2", "http/1.1"),
                observer=self.seen.append,
                clock=self.clock,
            ),
            HOST,
            session=session,
        )
        self.session: Session | None = None

    def _accepted(self) -> TcpConnected:
        own = next(r for r in self.seen if isinstance(r, TcpConnected))
        return replace(own, side=Side.SERVER, local=own.remote, remote=own.local, packets=(), unknown="")

    def _expired(self) -> CheckRan:
        dates = (("not after", "2026-11-12 09:30 UTC"), ("now", "2026-11-24 09:30 UTC"))
        return check(self.clock, "dates", 0, Outcome.FAILED, "expired 12 days ago", dates)

    def talk(self) -> None:
        """Carry bytes until neither side has more to say or one refuses."""
        for _ in range(6):
            for near, far in ((self.client, self.server), (self.server, self.client)):
                data = near.data_to_send()
                if not data:
                    continue
                self.clock(10.0)
                try:
                    events = far.receive_data(data)
                except TLSError:
                    continue
                for event in events:
                    if isinstance(event, TicketReceived):
                        self.session = event.session

    def request(self, version: str = "HTTP/1.1") -> None:
        headers = (("host", f"{HOST}:8443"), ("cookie", "session=4f1d; user=alice"))
        text = version == "HTTP/1.1"
        for side, told in ((Side.CLIENT, self.seen), (Side.SERVER, self.served)):
            told.append(
                HttpRequest(time=self.clock(), side=side, http_version=version, method="GET", url=URL, headers=headers)
            )
        self.client.send_data(REQUEST if text else bytes(range(128, 250)))
        self.talk()

    def respond(self, version: str = "HTTP/1.1", *, whole: bool = True) -> None:
        text = version == "HTTP/1.1"
        self.server.send_data(RESPONSE if text else bytes(range(100, 255)))
        self.talk()
        for side, told in ((Side.CLIENT, self.seen), (Side.SERVER, self.served)):
            told.append(
                HttpResponse(
                    time=self.clock(),
                    side=side,
                    http_version=version,
                    status=200,
                    reason="OK" if text else "",
                    headers=(("content-type", "text/html; charset=utf-8"), ("content-length", "64")),
                    seconds=0.0346,
                )
            )
            if whole:
                told.append(BodyReceived(time=self.clock(2.1), side=side, length=64, wire_length=64, seconds=0.0021))

    def close(self) -> None:
        self.client.close()
        self.talk()
        self.server.close()
        self.talk()


def run(http_version: str = "HTTP/1.1", **options: object) -> Visit:
    visit = Visit(alpn="h2" if http_version == "HTTP/2" else "http/1.1", **options)  # type: ignore[arg-type]
    visit.talk()
    visit.request(http_version)
    visit.respond(http_version)
    visit.close()
    return visit


@cache
def good() -> list[TraceRecord]:
    """A good visit."""
    return run().seen


@cache
def http2() -> list[TraceRecord]:
    """A good visit in HTTP/2, with the packets of the TCP handshake."""
    return run("HTTP/2", captured=True).seen


@cache
def tls12() -> list[TraceRecord]:
    return run(versions=(ProtocolVersion.TLS_1_2,)).seen


@cache
def resumed() -> list[TraceRecord]:
    """The second visit: no certificate any more."""
    return run(session=run().session).seen


@cache
def retried() -> list[TraceRecord]:
    """The server wants another group than the client's first offer."""
    return run(groups=(NamedGroup.SECP384R1,)).seen


@cache
def expired() -> list[TraceRecord]:
    """The leaf ended twelve days before the visit."""
    visit = Visit(days=-12)
    visit.talk()
    return visit.seen


@cache
def unknown_name() -> list[TraceRecord]:
    error = "nowhere.invalid has no address: check the spelling"
    return [NameResolved(time=T0, side=Side.CLIENT, host="nowhere.invalid", addresses=(), seconds=0.031, error=error)]


def unreached(error: str) -> list[TraceRecord]:
    return [
        NameResolved(time=T0, side=Side.CLIENT, host="localhost", addresses=("127.0.0.1",), seconds=0.001),
        ConnectAttempted(
            time=T0, side=Side.CLIENT, address="127.0.0.1", port=9, outcome=Outcome.FAILED, seconds=0.0002, error=error
        ),
    ]


@cache
def refused_port() -> list[TraceRecord]:
    return unreached("connection refused")


def garbage(data: bytes) -> list[TraceRecord]:
    """The server answers with something."""
    visit = Visit()
    visit.client.data_to_send()
    try:
        visit.client.receive_data(data)
    except TLSError:
        return visit.seen
    raise AssertionError("this should have been refused")


@cache
def plain_http() -> list[TraceRecord]:
    return garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n")


@cache
def alerted() -> list[TraceRecord]:
    return garbage(b"\x15\3\3\0\2\2\x28")


@cache
def cut_in_handshake() -> list[TraceRecord]:
    visit = Visit()
    try:
        visit.client.receive_eof()
    except TLSError:
        return visit.seen
    raise AssertionError("this should have been refused")


@cache
def truncated() -> list[TraceRecord]:
    """The server sent half a body and no close_notify."""
    visit = Visit()
    visit.talk()
    visit.request()
    visit.respond(whole=False)
    try:
        visit.client.receive_eof()
    except TLSError:
        return visit.seen
    raise AssertionError("this should have been refused")


@cache
def tampered() -> list[TraceRecord]:
    """One byte of the response was changed on the way."""
    visit = Visit()
    visit.talk()
    visit.request()
    visit.server.send_data(RESPONSE)
    data = bytearray(visit.server.data_to_send())
    data[40] ^= 1
    attack = "changed one byte of the response"
    visit.seen.append(Note(time=visit.clock(), side=Side.CLIENT, step=Step.PROTECT, who="attacker", text=attack))
    try:
        visit.client.receive_data(bytes(data))
    except TLSError:
        return visit.seen
    raise AssertionError("this should have been refused")


@cache
def no_padlock() -> list[TraceRecord]:
    """Nobody judged the certificate."""
    return [r for r in good() if not isinstance(r, VerdictReached | CheckRan | PathTried)]


@cache
def served() -> list[TraceRecord]:
    """The good visit from the server's side."""
    return run().served


@cache
def refused_by_client() -> list[TraceRecord]:
    """A client that does not accept the certificate, from the server's side."""
    visit = Visit(days=-12)
    visit.talk()
    return visit.served


SCENES: dict[str, Callable[[], list[TraceRecord]]] = {
    "good": good,
    "http2": http2,
    "tls12": tls12,
    "resumed": resumed,
    "retried": retried,
    "expired": expired,
    "unknown_name": unknown_name,
    "refused_port": refused_port,
    "plain_http": plain_http,
    "alerted": alerted,
    "cut_in_handshake": cut_in_handshake,
    "truncated": truncated,
    "tampered": tampered,
    "no_padlock": no_padlock,
    "served": served,
    "refused_by_client": refused_by_client,
}

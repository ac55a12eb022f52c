"""A realistic trace made by hand: one visit to a site of a local authority, and ways in which it can fail."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from glasslock.registry import (
    AlertDescription,
    AlertLevel,
    CipherSuite,
    ContentType,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    ProtocolVersion,
    Side,
    SignatureScheme,
)
from glasslock.trace import (
    AlertReceived,
    AlertSent,
    BodyReceived,
    CertificatesReceived,
    CheckRan,
    ConnectAttempted,
    ConnectionClosed,
    DataReceived,
    DataSent,
    Decided,
    HandshakeCompleted,
    HttpRequest,
    HttpResponse,
    KeyExchanged,
    KeysInstalled,
    MessageReceived,
    MessageSent,
    NameResolved,
    Outcome,
    PathTried,
    RecordReceived,
    RecordSent,
    Refused,
    SecretDerived,
    SignatureChecked,
    Step,
    TcpConnected,
    TcpInfo,
    TcpPacket,
    TraceRecord,
    VerdictReached,
)

if TYPE_CHECKING:
    from collections.abc import Callable

START = dt.datetime(2026, 11, 24, 9, 30, tzinfo=dt.UTC)
T0 = START.timestamp()
HOST = "shop.localhost"


def noise(name: str, size: int) -> bytes:
    """Bytes that look random and are always the same."""
    return hashlib.shake_256(name.encode()).digest(size)


def fingerprint(name: str) -> str:
    return noise(name, 8).hex()


def opaque(prefix: int, data: bytes) -> bytes:
    return len(data).to_bytes(prefix, "big") + data


def numbers(*values: int) -> bytes:
    return b"".join(value.to_bytes(2, "big") for value in values)


def extension(kind: int, data: bytes) -> bytes:
    return numbers(kind) + opaque(2, data)


def message(kind: HandshakeType, body: bytes) -> bytes:
    return bytes([kind]) + opaque(3, body)


def record(kind: ContentType, body: bytes) -> bytes:
    return bytes([kind]) + b"\3\3" + opaque(2, body)


# --- certificates -----------------------------------------------------------------------------------


@cache
def chain(days: int = 60, name: str = HOST) -> tuple[bytes, bytes, bytes]:
    """Leaf, intermediate and root; the leaf ends `days` after the visit."""
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    names = [
        x509.Name.from_rfc4514_string(text)
        for text in (f"CN={name}", "CN=Glasslock Intermediate,O=Glasslock", "CN=Glasslock Root,O=Glasslock")
    ]
    made = []
    for i in range(3):
        issuer = min(i + 1, 2)
        start = START - dt.timedelta(days=200 if i == 0 and days < 0 else 5 + 100 * i)
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[i])
            .issuer_name(names[issuer])
            .public_key(keys[i].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(START + dt.timedelta(days=(days, 1800, 3650)[i]))
            .add_extension(x509.BasicConstraints(ca=i > 0, path_length=None), critical=True)
        )
        if i == 0:
            san = x509.SubjectAlternativeName([x509.DNSName(name), x509.DNSName(f"www.{name}")])
            builder = builder.add_extension(san, critical=False).add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False
            )
        made.append(builder.sign(keys[issuer], hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    return made[0], made[1], made[2]


# --- messages ---------------------------------------------------------------------------------------

SCHEMES = (
    SignatureScheme.ECDSA_SECP256R1_SHA256,
    SignatureScheme.ED25519,
    SignatureScheme.RSA_PSS_RSAE_SHA256,
    SignatureScheme.ECDSA_SECP384R1_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA384,
    SignatureScheme.RSA_PSS_RSAE_SHA512,
)
OWN_SHARE = noise("kem key", 1184) + noise("x25519 client", 32)
PEER_SHARE = noise("kem ciphertext", 1088) + noise("x25519 server", 32)

CLIENT_HELLO = message(
    HandshakeType.CLIENT_HELLO,
    b"\3\3"
    + noise("client random", 32)
    + opaque(1, noise("session", 32))
    + opaque(
        2,
        numbers(
            CipherSuite.TLS_AES_128_GCM_SHA256,
            CipherSuite.TLS_AES_256_GCM_SHA384,
            CipherSuite.TLS_CHACHA20_POLY1305_SHA256,
        ),
    )
    + opaque(1, b"\0")
    + opaque(
        2,
        extension(ExtensionType.SERVER_NAME, opaque(2, b"\0" + opaque(2, HOST.encode())))
        + extension(ExtensionType.SUPPORTED_VERSIONS, opaque(1, numbers(0x0304, 0x0303)))
        + extension(
            ExtensionType.SUPPORTED_GROUPS,
            opaque(
                2,
                numbers(
                    NamedGroup.X25519MLKEM768, NamedGroup.X25519, NamedGroup.SECP256R1, NamedGroup.SECP384R1
                ),
            ),
        )
        + extension(ExtensionType.SIGNATURE_ALGORITHMS, opaque(2, numbers(*SCHEMES)))
        + extension(
            ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
            opaque(2, opaque(1, b"h2") + opaque(1, b"http/1.1")),
        )
        + extension(
            ExtensionType.KEY_SHARE,
            opaque(
                2,
                numbers(NamedGroup.X25519MLKEM768)
                + opaque(2, OWN_SHARE)
                + numbers(NamedGroup.X25519)
                + opaque(2, noise("x25519 alone", 32)),
            ),
        ),
    ),
)
SERVER_HELLO = message(
    HandshakeType.SERVER_HELLO,
    b"\3\3"
    + noise("server random", 32)
    + opaque(1, noise("session", 32))
    + numbers(CipherSuite.TLS_AES_128_GCM_SHA256)
    + b"\0"
    + opaque(
        2,
        extension(ExtensionType.SUPPORTED_VERSIONS, numbers(0x0304))
        + extension(ExtensionType.KEY_SHARE, numbers(NamedGroup.X25519MLKEM768) + opaque(2, PEER_SHARE)),
    ),
)


def encrypted_extensions(alpn: str) -> bytes:
    protocols = opaque(2, opaque(1, alpn.encode()))
    inner = extension(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, protocols)
    return message(HandshakeType.ENCRYPTED_EXTENSIONS, opaque(2, inner))


def certificate_message(certificates: tuple[bytes, ...]) -> bytes:
    entries = b"".join(opaque(3, der) + b"\0\0" for der in certificates)
    return message(HandshakeType.CERTIFICATE, b"\0" + opaque(3, entries))


def certificate_verify() -> bytes:
    scheme = numbers(SignatureScheme.ECDSA_SECP256R1_SHA256)
    return message(HandshakeType.CERTIFICATE_VERIFY, scheme + opaque(2, noise("signature", 71)))


# --- the visit --------------------------------------------------------------------------------------


class Clock:
    """Each record a little later than the one before."""

    def __init__(self) -> None:
        self.now = T0

    def __call__(self, milliseconds: float) -> float:
        self.now += milliseconds / 1000
        return self.now


def reach(clock: Clock) -> list[TraceRecord]:
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
    return [
        NameResolved(time=clock(4.2), host=HOST, addresses=("::1", "127.0.0.1"), seconds=0.0042),
        ConnectAttempted(
            time=clock(0.4),
            address="::1",
            port=8443,
            outcome=Outcome.FAILED,
            seconds=0.0004,
            error="connection refused",
        ),
        ConnectAttempted(
            time=clock(21.4), address="127.0.0.1", port=8443, outcome=Outcome.PASSED, seconds=0.0214
        ),
        TcpConnected(
            time=clock(0.1),
            local=("127.0.0.1", 51514),
            remote=("127.0.0.1", 8443),
            seconds=0.0214,
            info=info,
            unknown="the packets themselves: capturing them needs root or CAP_NET_RAW",
        ),
    ]


def packets() -> tuple[TcpPacket, ...]:
    options = ("MSS 65495", "SACK permitted", "timestamps", "window scale 7")

    def packet(at: float, direction: str, flags: str, options: tuple[str, ...] = ()) -> TcpPacket:
        return TcpPacket(
            time=T0 + at,
            direction=direction,
            flags=flags,
            sequence=1,
            acknowledgment=0,
            window=65495,
            options=options,
            raw=noise(flags, 60),
        )

    return (
        packet(0.001, "sent", "SYN", options),
        packet(0.002, "received", "SYN ACK", options),
        packet(0.003, "sent", "ACK"),
    )


def sent(clock: Clock, name: str, raw: bytes, step: Step = Step.AGREE, rule: str = "") -> MessageSent:
    return MessageSent(
        time=clock(0.2), step=step, rule=rule, message=name, version=ProtocolVersion.TLS_1_3, raw=raw
    )


def received(clock: Clock, name: str, raw: bytes, step: Step = Step.AGREE, rule: str = "") -> MessageReceived:
    return MessageReceived(
        time=clock(0.2), step=step, rule=rule, message=name, version=ProtocolVersion.TLS_1_3, raw=raw
    )


def out(clock: Clock, kind: ContentType, body: bytes, epoch: str) -> RecordSent:
    protected = epoch != "plaintext"
    raw = record(ContentType.APPLICATION_DATA if protected else kind, body)
    length = len(body) - 17 if protected else len(body)
    return RecordSent(
        time=clock(0.05), content_type=kind, length=length, protected=protected, epoch=epoch, raw=raw
    )


def back(clock: Clock, kind: ContentType, body: bytes, epoch: str) -> RecordReceived:
    protected = epoch != "plaintext"
    raw = record(ContentType.APPLICATION_DATA if protected else kind, body)
    length = len(body) - 17 if protected else len(body)
    return RecordReceived(
        time=clock(0.05), content_type=kind, length=length, protected=protected, epoch=epoch, raw=raw
    )


def secret(clock: Clock, label: str, parent: str) -> SecretDerived:
    return SecretDerived(time=clock(0.02), label=label, parent=parent, fingerprint=fingerprint(label))


def keys(clock: Clock, direction: str, epoch: str) -> KeysInstalled:
    return KeysInstalled(
        time=clock(0.02), direction=direction, epoch=epoch, cipher_suite=CipherSuite.TLS_AES_128_GCM_SHA256
    )


def hello(clock: Clock) -> list[TraceRecord]:
    """From ClientHello to the handshake keys."""
    return [
        sent(clock, "client_hello", CLIENT_HELLO, rule="RFC 9846 section 4.2.2"),
        out(clock, ContentType.HANDSHAKE, CLIENT_HELLO, "plaintext"),
        back(Later(clock, 21.0), ContentType.HANDSHAKE, SERVER_HELLO, "plaintext"),
        received(clock, "server_hello", SERVER_HELLO, rule="RFC 9846 section 4.2.3"),
        decided(
            clock, "version", "tls_1_3", ("tls_1_3", "tls_1_2"), "the server's choice among what we offered"
        ),
        decided(
            clock,
            "cipher_suite",
            "tls_aes_128_gcm_sha256",
            ("tls_aes_128_gcm_sha256", "tls_aes_256_gcm_sha384", "tls_chacha20_poly1305_sha256"),
            "the server's choice among what we offered",
        ),
        decided(
            clock,
            "group",
            "x25519mlkem768",
            ("x25519mlkem768", "x25519", "secp256r1", "secp384r1"),
            "our first choice, and the server took it",
        ),
        KeyExchanged(
            time=clock(0.3),
            group=NamedGroup.X25519MLKEM768,
            own_share=OWN_SHARE,
            peer_share=PEER_SHARE,
            fingerprint=fingerprint("ecdhe"),
        ),
        secret(clock, "early secret", ""),
        secret(clock, "handshake secret", "ecdhe"),
        secret(clock, "client handshake traffic", "handshake secret"),
        secret(clock, "server handshake traffic", "handshake secret"),
        keys(clock, "receive", "handshake"),
        keys(clock, "send", "handshake"),
    ]


class Later:
    """The same clock, with one longer wait first."""

    def __init__(self, clock: Clock, milliseconds: float) -> None:
        clock(milliseconds)
        self._clock = clock

    def __call__(self, milliseconds: float) -> float:
        return self._clock(milliseconds)


def decided(
    clock: Callable[[float], float], what: str, chosen: str, offered: tuple[str, ...], why: str
) -> Decided:
    return Decided(time=clock(0.01), what=what, chosen=chosen, offered=offered, why=why)


def check(
    clock: Clock,
    name: str,
    certificate: int | None,
    outcome: Outcome = Outcome.PASSED,
    explanation: str = "",
    **inputs: str,
) -> CheckRan:
    subjects = (f"CN={HOST}", "CN=Glasslock Intermediate", "CN=Glasslock Root")
    return CheckRan(
        time=clock(0.05),
        rule="RFC 5280 section 6.1.3",
        name=name,
        outcome=outcome,
        certificate=certificate,
        subject=subjects[certificate] if certificate is not None else "",
        inputs=tuple((key.replace("_", " "), value) for key, value in inputs.items()),
        explanation=explanation,
    )


STORE = "the local root (~/.local/share/glasslock/root.pem)"


def certificates(clock: Clock, days: int = 60) -> list[TraceRecord]:
    """The chain and the checks that always pass."""
    leaf, intermediate, _ = chain(days)
    sent_chain = (leaf, intermediate)
    return [
        back(clock, ContentType.HANDSHAKE, noise("flight", 1900), "handshake"),
        received(clock, "encrypted_extensions", encrypted_extensions("h2"), rule="RFC 9846 section 4.4.1"),
        decided(clock, "alpn", "h2", ("h2", "http/1.1"), "the server's choice"),
        received(
            clock, "certificate", certificate_message(sent_chain), Step.IDENTIFY, "RFC 9846 section 4.5.1"
        ),
        CertificatesReceived(time=clock(0.1), chain=sent_chain),
        check(clock, "signature", 0, issuer="CN=Glasslock Intermediate", algorithm="ecdsa-with-SHA256"),
        check(clock, "signature", 1, issuer="CN=Glasslock Root", algorithm="ecdsa-with-SHA256"),
        check(clock, "name", 0, explanation=f"{HOST} is one of the certificate's names", wanted=HOST),
        check(clock, "basic_constraints", 1, ca="true"),
        check(clock, "key_usage", 0, purpose="server authentication"),
        check(clock, "key_strength", 0, key="ECDSA on secp256r1"),
        check(clock, "dates", 1, now="2026-11-24", not_after="2031-10-29"),
        check(
            clock,
            "revocation",
            0,
            Outcome.SKIPPED,
            "the certificate names no place to ask",
        ),
    ]


def accepted(clock: Clock) -> list[TraceRecord]:
    leaf, intermediate, root = chain()
    return [
        check(clock, "dates", 0, now="2026-11-24", not_after="2027-01-23"),
        PathTried(time=clock(0.1), path=(leaf, intermediate, root)),
        VerdictReached(
            time=clock(0.1),
            padlock=True,
            code="",
            headline="Your connection is private",
            cause="",
            who_can_fix="",
            fix="",
            may_proceed=True,
            store=STORE,
        ),
        received(clock, "certificate_verify", certificate_verify(), Step.IDENTIFY, "RFC 9846 section 4.5.2"),
        SignatureChecked(
            time=clock(0.3),
            scheme=SignatureScheme.ECDSA_SECP256R1_SHA256,
            outcome=Outcome.PASSED,
            signed=noise("signed", 146),
            signature=noise("signature", 71),
        ),
        decided(
            clock,
            "signature_scheme",
            "ecdsa_secp256r1_sha256",
            tuple(scheme.name.lower() for scheme in SCHEMES),
            "the scheme of the server's key",
        ),
    ]


def finish(clock: Clock, alpn: str = "h2") -> list[TraceRecord]:
    finished = message(HandshakeType.FINISHED, noise("finished", 32))
    return [
        received(clock, "finished", finished, rule="RFC 9846 section 4.5.3"),
        secret(clock, "main secret", "handshake secret"),
        secret(clock, "client application traffic", "main secret"),
        secret(clock, "server application traffic", "main secret"),
        secret(clock, "exporter", "main secret"),
        keys(clock, "receive", "application"),
        sent(clock, "finished", finished, rule="RFC 9846 section 4.5.3"),
        out(clock, ContentType.HANDSHAKE, noise("client finished", 53), "handshake"),
        secret(clock, "resumption", "main secret"),
        keys(clock, "send", "application"),
        HandshakeCompleted(
            time=clock(0.1),
            version=ProtocolVersion.TLS_1_3,
            cipher_suite=CipherSuite.TLS_AES_128_GCM_SHA256,
            group=NamedGroup.X25519MLKEM768,
            signature_scheme=SignatureScheme.ECDSA_SECP256R1_SHA256,
            alpn=alpn,
            server_name=HOST,
        ),
    ]


REQUEST = (
    f"GET /basket HTTP/1.1\r\nHost: {HOST}:8443\r\nUser-Agent: glasslock/0.1\r\n"
    "Accept: text/html\r\nCookie: session=4f1d; user=alice\r\n\r\n"
).encode()
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: 64\r\n\r\n"
    b"<!doctype html>\n<title>Your basket</title>\n<p>One padlock, 3.50\n"
)
URL = f"https://{HOST}:8443/basket"


def headers(*pairs: str) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, _, value in (pair.partition(": ") for pair in pairs))


def http(clock: Clock, version: str = "HTTP/1.1") -> list[TraceRecord]:
    binary = version == "HTTP/2"
    asked = noise("hpack request", 120) if binary else REQUEST
    answer = noise("hpack response", 180) if binary else RESPONSE
    return [
        HttpRequest(
            time=clock(0.3),
            http_version=version,
            method="GET",
            url=URL,
            headers=headers(
                f"host: {HOST}:8443", "user-agent: glasslock/0.1", "cookie: session=4f1d; user=alice"
            ),
        ),
        DataSent(time=clock(0.1), data=asked),
        out(clock, ContentType.APPLICATION_DATA, noise("request", len(asked) + 17), "application"),
        back(
            Later(clock, 34.0),
            ContentType.APPLICATION_DATA,
            noise("response", len(answer) + 17),
            "application",
        ),
        DataReceived(time=clock(0.1), data=answer),
        HttpResponse(
            time=clock(0.1),
            http_version=version,
            status=200,
            reason="" if binary else "OK",
            headers=headers("content-type: text/html; charset=utf-8", "content-length: 64"),
            seconds=0.0346,
        ),
        BodyReceived(time=clock(2.1), length=64, wire_length=64, seconds=0.0021),
    ]


def close(clock: Clock) -> list[TraceRecord]:
    return [
        AlertSent(time=clock(0.2), level=AlertLevel.WARNING, description=AlertDescription.CLOSE_NOTIFY),
        AlertReceived(time=clock(0.2), level=AlertLevel.WARNING, description=AlertDescription.CLOSE_NOTIFY),
        ConnectionClosed(time=clock(0.1), clean=True),
    ]


def visit(http_version: str = "HTTP/1.1") -> list[TraceRecord]:
    """A good visit."""
    clock = Clock()
    alpn = "h2" if http_version == "HTTP/2" else "http/1.1"
    return [
        *reach(clock),
        *hello(clock),
        *certificates(clock),
        *accepted(clock),
        *finish(clock, alpn),
        *http(clock, http_version),
        *close(clock),
    ]


def captured() -> list[TraceRecord]:
    """The same, with the packets of the TCP handshake."""
    return [
        replace(r, packets=packets(), unknown="") if isinstance(r, TcpConnected) else r
        for r in visit("HTTP/2")
    ]


OTHERS = (
    ("Chrome", "NET::ERR_CERT_DATE_INVALID: Your connection is not private"),
    ("Firefox", "SEC_ERROR_EXPIRED_CERTIFICATE: Warning: Potential Security Risk Ahead"),
    ("curl", "(60) SSL certificate problem: certificate has expired"),
    ("Python", "CERTIFICATE_VERIFY_FAILED: certificate has expired"),
)


def expired() -> list[TraceRecord]:
    """The leaf ended twelve days before the visit."""
    clock = Clock()
    leaf, intermediate, root = chain(-12)
    cause = "the certificate ended 12 days ago"
    return [
        *reach(clock),
        *hello(clock),
        *certificates(clock, -12),
        check(
            clock,
            "dates",
            0,
            Outcome.FAILED,
            cause,
            now="2026-11-24 09:30 UTC",
            not_before="2026-05-08 09:30 UTC",
            not_after="2026-11-12 09:30 UTC",
        ),
        PathTried(time=clock(0.1), path=(leaf, intermediate, root), problem=cause),
        VerdictReached(
            time=clock(0.1),
            padlock=False,
            code="NET::ERR_CERT_DATE_INVALID",
            headline="Your connection is not private",
            cause="This server could not prove that it is shop.localhost; its certificate ended 12 days ago.",
            who_can_fix="the site's operator",
            fix="glasslock ca issue shop.localhost",
            may_proceed=True,
            store=STORE,
            others_say=OTHERS,
        ),
        Refused(
            time=clock(0.1),
            step=Step.IDENTIFY,
            rule="RFC 5280 section 6.1.3",
            code="certificate-expired",
            alert="certificate_expired",
            message="the certificate was not accepted",
        ),
        AlertSent(time=clock(0.1), level=AlertLevel.FATAL, description=AlertDescription.CERTIFICATE_EXPIRED),
        ConnectionClosed(time=clock(0.1), clean=False, problem="this side ended the connection"),
    ]


def unknown_name() -> list[TraceRecord]:
    return [
        NameResolved(
            time=T0,
            host="nowhere.invalid",
            addresses=(),
            seconds=0.031,
            error="no such name: nowhere.invalid",
        )
    ]


def refused_port() -> list[TraceRecord]:
    clock = Clock()
    return [
        NameResolved(time=clock(1), host="localhost", addresses=("127.0.0.1",), seconds=0.001),
        ConnectAttempted(
            time=clock(1),
            address="127.0.0.1",
            port=9,
            outcome=Outcome.FAILED,
            seconds=0.0002,
            error="connection refused",
        ),
    ]


def plain_http() -> list[TraceRecord]:
    clock = Clock()
    return [
        *reach(clock),
        sent(clock, "client_hello", CLIENT_HELLO),
        Refused(
            time=clock(2),
            step=Step.AGREE,
            code="plain-http",
            alert="unexpected_message",
            message="the peer answered in plain HTTP: this port does not speak TLS",
        ),
        ConnectionClosed(time=clock(0.1), clean=False, problem="this side ended the connection"),
    ]


def alerted() -> list[TraceRecord]:
    clock = Clock()
    return [
        *reach(clock),
        sent(clock, "client_hello", CLIENT_HELLO),
        AlertReceived(time=clock(2), level=AlertLevel.FATAL, description=AlertDescription.HANDSHAKE_FAILURE),
        ConnectionClosed(
            time=clock(0.1), clean=False, problem="the peer sent the fatal alert handshake_failure"
        ),
    ]


def cut_in_handshake() -> list[TraceRecord]:
    clock = Clock()
    return [
        *reach(clock),
        sent(clock, "client_hello", CLIENT_HELLO),
        ConnectionClosed(
            time=clock(9), clean=False, problem="the server closed the connection in mid-handshake"
        ),
    ]


def truncated() -> list[TraceRecord]:
    """The server sent half a body and no close_notify."""
    return [
        *(
            r
            for r in visit()
            if not isinstance(r, BodyReceived | AlertSent | AlertReceived | ConnectionClosed)
        ),
        ConnectionClosed(
            time=T0 + 0.2,
            clean=False,
            problem="the connection ended without close_notify: data may be missing",
        ),
    ]


def tampered() -> list[TraceRecord]:
    """One byte of the response was changed on the way."""
    kept = [
        r
        for r in visit()
        if not isinstance(
            r, DataReceived | HttpResponse | BodyReceived | AlertSent | AlertReceived | ConnectionClosed
        )
    ][:-1]
    return [
        *kept,
        Refused(
            time=T0 + 0.2,
            step=Step.PROTECT,
            rule="RFC 9846 section 5.2",
            code="bad-record-mac",
            alert="bad_record_mac",
            message="a record was not made with the agreed key: it was changed on the way",
        ),
        AlertSent(time=T0 + 0.2, level=AlertLevel.FATAL, description=AlertDescription.BAD_RECORD_MAC),
        ConnectionClosed(time=T0 + 0.2, clean=False, problem="a record was changed on the way"),
    ]


def served() -> list[TraceRecord]:
    """The good visit from the server's side."""
    swap = {MessageSent: MessageReceived, MessageReceived: MessageSent, RecordSent: RecordReceived}
    found: list[TraceRecord] = []
    for r in visit():
        if isinstance(
            r, NameResolved | ConnectAttempted | CheckRan | PathTried | VerdictReached | CertificatesReceived
        ):
            continue
        if isinstance(r, TcpConnected):
            r = replace(r, local=r.remote, remote=r.local, unknown="")  # noqa: PLW2901
        if isinstance(r, MessageSent | MessageReceived):
            other = swap[type(r)]
            r = other(time=r.time, step=r.step, rule=r.rule, message=r.message, version=r.version, raw=r.raw)  # noqa: PLW2901
        found.append(replace(r, side=Side.SERVER))
    return found


def refused_by_client() -> list[TraceRecord]:
    """A client that does not know the root."""
    kept = [r for r in served() if isinstance(r, TcpConnected | MessageReceived | MessageSent)][:6]
    return [
        *kept,
        AlertReceived(
            time=T0 + 0.1, side=Side.SERVER, level=AlertLevel.FATAL, description=AlertDescription.UNKNOWN_CA
        ),
        ConnectionClosed(
            time=T0 + 0.1, side=Side.SERVER, clean=False, problem="the peer sent the fatal alert unknown_ca"
        ),
    ]


SCENES: dict[str, Callable[[], list[TraceRecord]]] = {
    "visit": visit,
    "captured": captured,
    "expired": expired,
    "unknown_name": unknown_name,
    "refused_port": refused_port,
    "plain_http": plain_http,
    "alerted": alerted,
    "cut_in_handshake": cut_in_handshake,
    "truncated": truncated,
    "tampered": tampered,
    "served": served,
    "refused_by_client": refused_by_client,
}

"""Everything that can happen on a connection, in the order of the four steps."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass, field

from ..registry import Side
from . import Outcome, Step


@dataclass(slots=True)
class TraceRecord:
    """What every record knows: when (seconds since the Unix epoch), on which side, in which step, by which rule.

    A record is a fact, and whoever gets one leaves it as it is. That is not enforced (`frozen`), for a hundred records
    tell of one handshake, and the telling would take half as long again. For the same reason those that come in
    numbers can be made from values in their order: names would double what it takes.
    """

    time: float
    side: Side
    _: KW_ONLY
    step: Step
    rule: str = ""


# --- 1 REACH --------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class NameResolved(TraceRecord):
    """The resolver answered. `error` is set, and `addresses` empty, if the name is not known."""

    step: Step = Step.REACH
    host: str
    addresses: tuple[str, ...]
    seconds: float
    error: str = ""


@dataclass(slots=True, kw_only=True)
class ConnectAttempted(TraceRecord):
    """One address was tried (RFC 8305 races several)."""

    step: Step = Step.REACH
    address: str
    port: int
    outcome: Outcome
    seconds: float
    error: str = ""


@dataclass(slots=True, kw_only=True)
class TcpInfo:
    """What the kernel knows of a TCP connection; None where it does not say."""

    rtt: float | None = None  # seconds
    rtt_variance: float | None = None  # seconds
    send_mss: int | None = None  # bytes
    receive_mss: int | None = None  # bytes
    path_mtu: int | None = None  # bytes
    send_window_scale: int | None = None
    receive_window_scale: int | None = None
    sack: bool | None = None
    timestamps: bool | None = None
    ecn: bool | None = None
    retransmits: int | None = None
    congestion_window: int | None = None  # segments


@dataclass(slots=True, kw_only=True)
class TcpPacket:
    """One captured packet of the TCP handshake: `direction` is `sent` or `received`.

    `flags` reads `SYN`, `SYN ACK` or `ACK`; `options` are in words and in their order on the wire;
    `raw` begins with the IP header.
    """

    time: float
    direction: str
    flags: str
    ttl: int | None = None  # the hop limit of IPv6
    sequence: int
    acknowledgment: int
    window: int
    options: tuple[str, ...]
    raw: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class TcpConnected(TraceRecord):
    """The TCP handshake is done. `unknown` says what could not be learned, and why."""

    step: Step = Step.REACH
    local: tuple[str, int]
    remote: tuple[str, int]
    seconds: float
    info: TcpInfo | None = None
    packets: tuple[TcpPacket, ...] = ()
    unknown: str = ""


# --- the wire: records, messages, alerts ----------------------------------------------------------


@dataclass(slots=True)
class RecordSent(TraceRecord):
    """One TLS record went out: what an eavesdropper sees of it is `raw`, whole, header included."""

    content_type: int
    length: int
    protected: bool
    epoch: str
    raw: bytes = field(repr=False)
    _: KW_ONLY
    step: Step = Step.PROTECT
    rule: str = "RFC 9846 section 5.1"


@dataclass(slots=True)
class RecordReceived(TraceRecord):
    """One TLS record came in and was accepted."""

    content_type: int
    length: int
    protected: bool
    epoch: str
    raw: bytes = field(repr=False)
    _: KW_ONLY
    step: Step = Step.PROTECT
    rule: str = "RFC 9846 section 5.1"


@dataclass(slots=True)
class MessageSent(TraceRecord):
    """One handshake message went out. `tls.wire.dissect` turns `raw` into named fields."""

    step: Step
    message: str
    version: int
    raw: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class InnerHello(TraceRecord):
    """The ClientHello inside an encrypted one: what only the two ends see. `raw` as in `MessageSent`.

    A client tells it before the outer hello goes out, a server after that came in.
    """

    step: Step = Step.AGREE
    rule: str = "RFC 9849 section 5.1"
    raw: bytes = field(repr=False)


@dataclass(slots=True)
class MessageReceived(TraceRecord):
    """One handshake message came in. `tls.wire.dissect` turns `raw` into named fields."""

    step: Step
    message: str
    version: int
    raw: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class AlertSent(TraceRecord):
    """We said why we end (or, for close_notify, that we have no more to say)."""

    step: Step = Step.PROTECT
    rule: str = "RFC 9846 section 6"
    level: int
    description: int
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class AlertReceived(TraceRecord):
    """The peer said why it ends."""

    step: Step = Step.PROTECT
    rule: str = "RFC 9846 section 6"
    level: int
    description: int


# --- 2 IDENTIFY -----------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class CertificatesReceived(TraceRecord):
    """The chain as the peer sent it, leaf first, DER; kept whatever becomes of it."""

    step: Step = Step.IDENTIFY
    rule: str = "RFC 9846 section 4.5.1"
    chain: tuple[bytes, ...] = field(repr=False)
    certificate_type: int = 0  # 2: `chain` is one raw public key (RFC 7250)
    ocsp_response: bytes | None = field(default=None, repr=False)
    sct_list: bytes | None = field(default=None, repr=False)


@dataclass(slots=True, kw_only=True)
class PathTried(TraceRecord):
    """One candidate path, leaf first, DER; `problem` is empty for the path that was accepted."""

    step: Step = Step.IDENTIFY
    rule: str = "RFC 5280 section 6.1"
    path: tuple[bytes, ...] = field(repr=False)
    problem: str = ""


@dataclass(slots=True)
class CheckRan(TraceRecord):
    """One check on one certificate, with what was compared.

    `certificate` is the position in the path (0 = leaf), None where the check is about the whole.
    `inputs` are (name, value) pairs in words a person can read.
    """

    rule: str
    name: str
    outcome: Outcome
    certificate: int | None = None
    subject: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    explanation: str = ""
    _: KW_ONLY
    step: Step = Step.IDENTIFY


@dataclass(slots=True, kw_only=True)
class VerdictReached(TraceRecord):
    """The outcome of all checks, in the words of a browser (`glasslock.trust.Verdict` as plain values).

    `kind` tells the classes of refusal apart that share a `code` (unknown root, missing intermediate…).
    """

    step: Step = Step.IDENTIFY
    padlock: bool
    kind: str = ""
    code: str
    headline: str
    message: str = ""
    details: str = ""
    cause: str
    who_can_fix: str
    fix: str
    may_proceed: bool
    store: str
    others_say: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class SignatureChecked(TraceRecord):
    """CertificateVerify (or ServerKeyExchange): does the peer hold the certificate's key?"""

    step: Step = Step.IDENTIFY
    rule: str = "RFC 9846 section 4.5.2"
    scheme: int
    outcome: Outcome
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)


# --- 3 AGREE --------------------------------------------------------------------------------------


@dataclass(slots=True)
class Decided(TraceRecord):
    """One choice: what was on offer, what was taken, and why.

    `what` is e.g. `version`, `cipher_suite`, `group`, `signature_scheme`, `alpn`, `certificate`,
    `resumption`, `early_data`, `retry`, `ech`; the values are names of the registry or words.
    """

    step: Step
    rule: str
    what: str
    chosen: str
    offered: tuple[str, ...] = ()
    supported: tuple[str, ...] = ()
    why: str = ""


@dataclass(slots=True, kw_only=True)
class KeyExchanged(TraceRecord):
    """Both halves of the key exchange; the shared secret itself only as a fingerprint (SHA-256, 8 bytes)."""

    step: Step = Step.AGREE
    rule: str = "RFC 9846 section 7.4"
    group: int
    own_share: bytes = field(repr=False)
    peer_share: bytes = field(repr=False)
    fingerprint: str


@dataclass(slots=True)
class SecretDerived(TraceRecord):
    """One step of the key schedule. The secret is present as a fingerprint (SHA-256, 8 bytes) only."""

    label: str
    parent: str
    fingerprint: str
    _: KW_ONLY
    step: Step = Step.AGREE
    rule: str = "RFC 9846 section 7.1"


@dataclass(slots=True)
class KeysInstalled(TraceRecord):
    """From here on one direction is protected with new keys. `direction` is `send` or `receive`."""

    direction: str
    epoch: str
    cipher_suite: int
    _: KW_ONLY
    step: Step = Step.PROTECT
    rule: str = "RFC 9846 section 7.3"


@dataclass(slots=True, kw_only=True)
class HandshakeCompleted(TraceRecord):
    """Everything that was agreed, once the handshake is done on this side."""

    step: Step = Step.AGREE
    version: int
    cipher_suite: int
    group: int | None
    signature_scheme: int | None
    alpn: str | None
    server_name: str | None
    resumed: bool = False
    early_data: bool = False
    retried: bool = False
    client_authenticated: bool = False
    ech_accepted: bool = False


# --- 4 PROTECT ------------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class DataSent(TraceRecord):
    """Application bytes as the person's program wrote them, before encryption."""

    step: Step = Step.PROTECT
    data: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class DataReceived(TraceRecord):
    """Application bytes after decryption."""

    step: Step = Step.PROTECT
    data: bytes = field(repr=False)


@dataclass(slots=True, kw_only=True)
class ConnectionClosed(TraceRecord):
    """The end: `clean` after close_notify, else `problem` says what happened."""

    step: Step = Step.PROTECT
    rule: str = "RFC 9846 section 6.1"
    clean: bool
    problem: str = ""


@dataclass(slots=True, kw_only=True)
class Refused(TraceRecord):
    """This side ended the connection: which rule, and which alert it chose."""

    step: Step
    code: str
    alert: str
    message: str


# --- HTTP on top ----------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class HttpRequest(TraceRecord):
    """A request as it was meant, whatever the version's framing makes of it (RFC 9110)."""

    step: Step = Step.PROTECT
    rule: str = "RFC 9110"
    http_version: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True, kw_only=True)
class HttpResponse(TraceRecord):
    """The response's head (RFC 9110); `seconds` from request to first byte."""

    step: Step = Step.PROTECT
    rule: str = "RFC 9110"
    http_version: str
    status: int
    reason: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    seconds: float


@dataclass(slots=True, kw_only=True)
class BodyReceived(TraceRecord):
    """The response's content is complete: `length` bytes after, `wire_length` before content decoding.

    `seconds` from the response's head to the last byte.
    """

    step: Step = Step.PROTECT
    rule: str = "RFC 9110"
    length: int
    wire_length: int
    seconds: float


@dataclass(slots=True, kw_only=True)
class Note(TraceRecord):
    """Something that an attacker or a lab did to the connection, in words."""

    who: str
    text: str

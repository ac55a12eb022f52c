"""The workbench of one handshake: what its steps share, and how they talk to the wire and to the trace."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from ... import trace
from ...errors import ConfigurationError, PeerMisbehaved
from ...registry import (
    TLS_1_3,
    AlertDescription,
    AlertLevel,
    HandshakeType,
    Side,
    name_of,
    names_of,
)
from ...trace import Step
from ..config import Config
from ..events import Event
from ..keys.key_schedule import fingerprint
from ..keys.transcript import Transcript
from ..protection import MAX_FRAGMENT, Protection, unexpected
from ..record import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, RecordReader, RecordWriter
from ..wire.messages import HEADER_LENGTH, Message
from .agreed import Agreed
from .incoming import IncomingMessages

if TYPE_CHECKING:
    from ...trace import Observer, TraceRecord

_IDENTIFYING: Final = frozenset(
    {
        HandshakeType.CERTIFICATE,
        HandshakeType.CERTIFICATE_REQUEST,
        HandshakeType.CERTIFICATE_VERIFY,
        HandshakeType.CERTIFICATE_STATUS,
        HandshakeType.COMPRESSED_CERTIFICATE,
    }
)


class Wait:
    """What a handshake yields when it needs the peer."""

    __slots__ = ("what",)

    def __init__(self, what: str) -> None:
        self.what = what


FOR_MESSAGE: Final = Wait("the rest of a handshake message")
FOR_CHANGE_CIPHER_SPEC: Final = Wait("ChangeCipherSpec")


@dataclass(slots=True)
class Question:
    """A decision that somebody outside takes their time for: which certificate, which signature, is this peer trusted.

    The connection reports `Undecided` and waits.
    """

    what: str
    subject: object


Script = Generator[Wait | Question, Any, None]
# A whole handshake; it returns the script of what may come after, and with it goes all that was needed until then.
HandshakeScript = Generator[Wait | Question, Any, Script]
M = TypeVar("M", bound=Message)
N = TypeVar("N", bound=Message)
P = TypeVar("P", bound=Message)


class Handshake:
    """One handshake in progress."""

    __slots__ = (
        "agreed",
        "application_data",
        "authenticating",
        "certificate_requests",
        "config",
        "data_received",
        "early_data_limit",
        "early_data_writable",
        "events",
        "final_transcript",
        "incoming",
        "key_log",
        "key_update_awaited",
        "key_update_pending",
        "key_updates_sent",
        "may_send",
        "now",
        "observer",
        "pending",
        "read_secret",
        "reader",
        "receive_limit",
        "resumption_secret",
        "side",
        "skip_hello_requests",
        "tell",
        "transcript",
        "write_secret",
        "writer",
    )

    def __init__(
        self, config: Config, side: Side, reader: RecordReader, writer: RecordWriter, incoming: IncomingMessages
    ) -> None:
        self.config = config
        self.side = side
        self.reader = reader
        self.writer = writer
        self.incoming = incoming
        self.observer = config.observer
        self.tell: Observer = tell_nobody if config.observer is None else config.observer
        self.key_log = config.key_log
        self.now = config.clock
        self.transcript = Transcript()
        self.agreed = Agreed()
        self.events: list[Event] = []
        self.application_data = False  # may the peer's application data be delivered?
        self.may_send = False  # may we send application data?
        self.early_data_limit: int | None = None  # bytes of 0-RTT data still acceptable (server); None: none at all
        self.early_data_writable = 0  # bytes of 0-RTT data still allowed (client)
        self.receive_limit: int | None = None  # bytes of plaintext in a record, if the sides agreed on less
        self.read_secret = self.write_secret = b""
        self.resumption_secret = b""
        self.data_received = 0  # application data records, to tell KeyUpdates with a purpose from a flood
        self.key_update_pending = False  # the peer wants new keys from us before our next data
        self.key_update_awaited = False  # we asked the peer for new keys
        self.key_updates_sent = 0
        self.authenticating = False  # a late proof of the client's is coming in; nothing may come between (server)
        self.final_transcript: Transcript | None = None  # for authentication after the handshake
        self.skip_hello_requests = False  # TLS 1.2: a HelloRequest may come at any time (client)
        self.certificate_requests: dict[bytes, Transcript] = {}  # those unanswered, by context (server)
        self.pending: list[bytes] = []  # messages of ours that wait for their record

    def agree_on_version(self, version: int) -> None:
        self.agreed.version = version
        self.reader.tls13 = version >= TLS_1_3
        if not self.reader.tls13:
            self.reader.version = version.to_bytes(2, "big")

    # --- messages

    def send(self, message: Message) -> None:
        """Queues a message; messages sent together travel in one record where they fit."""
        self.send_raw(message.type, message.encode())

    def send_raw(self, kind: HandshakeType, raw: bytes) -> None:
        """Queues a message that is already bytes."""
        self.transcript.add(raw)
        self.pending.append(raw)
        if self.observer is not None:
            self._tell_sent(kind, raw)

    def queue(self, kind: HandshakeType, raw: bytes) -> None:
        """The same for a message that is not itself part of the transcript: the outer hello of ECH."""
        self.pending.append(raw)
        if self.observer is not None:
            self._tell_sent(kind, raw)

    def send_at_once(self, *messages: Message) -> None:
        """Sends messages that belong to no transcript: tickets, new keys, a late question (RFC 9846 section 4.1).

        They may overtake messages that are queued but wait for a decision, for these must go out together.
        """
        encoded = [message.encode() for message in messages]
        self.writer.write(HANDSHAKE, b"".join(encoded))
        if self.observer is not None:
            for message, raw in zip(messages, encoded, strict=True):
                self._tell_sent(message.type, raw)

    def _tell_sent(self, kind: HandshakeType, raw: bytes) -> None:
        step = Step.IDENTIFY if kind in _IDENTIFYING else Step.AGREE
        version = self.agreed.version or TLS_1_3
        self.tell(trace.MessageSent(self.now(), self.side, step, name_of(HandshakeType, kind), version, raw))

    def flush(self) -> None:
        """Hands the queued messages to the record layer; they must not straddle a change of keys."""
        if self.pending:
            data = b"".join(self.pending)
            self.pending.clear()
            self.writer.write(HANDSHAKE, data)

    @overload
    def expect(self, kind: type[M], /) -> Generator[Wait, None, M]: ...

    @overload
    def expect(self, first: type[M], second: type[N], /) -> Generator[Wait, None, M | N]: ...

    @overload
    def expect(self, first: type[M], second: type[N], third: type[P], /) -> Generator[Wait, None, M | N | P]: ...

    def expect(self, *kinds: type[Message]) -> Generator[Wait, None, Message]:
        """Waits for one of these messages; any other is refused (RFC 9846 section 4)."""
        next_message = self.incoming.next
        raw = next_message()
        while raw is None or (self.skip_hello_requests and self.passes_over(raw)):
            if raw is None:
                yield FOR_MESSAGE
            raw = next_message()
        received = raw[0]
        for kind in kinds:
            if kind.type == received:
                break
        else:
            wanted = " or ".join(kind.type.name.lower() for kind in kinds)
            raise unexpected(
                "unexpected-message",
                f"{name_of(HandshakeType, raw[0])} came where {wanted} is due",
                "RFC 9846 section 4",
            )
        if self.observer is not None:
            self._tell_received(raw)
        message = kind.parse(raw)
        self.transcript.add(raw)
        return message

    def peek(self) -> Generator[Wait, None, int]:
        """Waits for a message and tells its type, for the few that may be left out."""
        raw = self.incoming.next()
        while raw is None or self.passes_over(raw):
            if raw is None:
                yield FOR_MESSAGE
            raw = self.incoming.next()
        self.incoming.put_back(raw)
        return raw[0]

    def passes_over(self, raw: bytes) -> bool:
        """A HelloRequest in mid-handshake asks for what is under way already (RFC 5246 section 7.4.1.1)."""
        return self.skip_hello_requests and raw[0] == HandshakeType.HELLO_REQUEST and len(raw) == HEADER_LENGTH

    def wait_for_change_cipher_spec(self) -> Generator[Wait, None, None]:
        """Waits for the record that is no handshake message (RFC 5246 section 7.1)."""
        self.refuse_messages()
        yield FOR_CHANGE_CIPHER_SPEC

    def refuse_messages(self) -> None:
        """While ChangeCipherSpec is due no message may come, HelloRequests aside."""
        while (raw := self.incoming.next()) is not None:
            if not self.passes_over(raw):
                raise unexpected(
                    "unexpected-message", "a handshake message where ChangeCipherSpec is due", "RFC 5246 section 7.1"
                )

    def _tell_received(self, raw: bytes) -> None:
        step = Step.IDENTIFY if raw[0] in _IDENTIFYING else Step.AGREE
        version = self.agreed.version or TLS_1_3
        self.tell(trace.MessageReceived(self.now(), self.side, step, name_of(HandshakeType, raw[0]), version, raw))

    def ask(
        self, who: object, what: str, subject: object, now: Callable[[], object], kinds: tuple[type, ...]
    ) -> Generator[Question, Any, Any]:
        """Somebody outside decides: at once by calling `now`, or when they are ready if `who` says to be `deferred`.

        Anything but an answer of one of these kinds is none, and surely no consent.
        """
        value = (yield Question(what, subject)) if getattr(who, "deferred", False) else now()
        if not isinstance(value, kinds):
            wanted = " or ".join(kind.__name__ for kind in kinds)
            raise ConfigurationError(f"{value!r} does not answer the question {what!r}: it has to be {wanted}")
        return value

    def send_alert(self, level: AlertLevel, description: AlertDescription, reason: str = "") -> None:
        """Tells the peer; `reason` is for the trace alone."""
        self.writer.write(ALERT, bytes((level, description)))
        if self.observer is not None:
            self.tell(
                trace.AlertSent(time=self.now(), side=self.side, level=level, description=description, reason=reason)
            )

    def send_change_cipher_spec(self) -> None:
        self.flush()
        self.writer.write(CHANGE_CIPHER_SPEC, b"\x01")

    # --- keys

    def read_with(self, protection: Protection | None) -> None:
        """From the next record on the peer uses these keys: no message may lie across the change."""
        if self.incoming.unread:
            self.refuse_unread("a handshake message lies across a change of keys")
        self.reader.protection = protection
        if protection is None:
            return
        if self.receive_limit is not None:
            protection.max_plaintext = self.receive_limit
        if self.observer is not None:
            self._tell_keys("receive", protection)

    def refuse_unread(self, problem: str) -> None:
        """The peer's record must end where its message ends (RFC 9846 section 5.1)."""
        if self.incoming.unread:
            raise unexpected("excess-handshake-data", problem, "RFC 9846 section 5.1")

    def limit_records(self, ours: int | None, theirs: int) -> None:
        """Both sides said how large a record they take; TLS 1.3 counts content type and padding (RFC 8449 section 4).

        The limit holds for the keys of this handshake, so not for early data.
        """
        type_length = 1 if self.agreed.version >= TLS_1_3 else 0
        self.agreed.peer_record_size_limit = theirs
        self.writer.max_fragment = min(self.config.max_fragment, theirs - type_length)
        self.receive_limit = min(ours or MAX_FRAGMENT + 1, MAX_FRAGMENT + type_length)
        reading = self.reader.protection
        if reading is not None and reading.epoch != "early data":
            reading.max_plaintext = self.receive_limit

    def write_with(self, protection: Protection | None) -> None:
        """From the next record on we use these keys."""
        if self.pending:
            self.flush()
        self.replace_write_key(protection)

    def replace_write_key(self, protection: Protection | None) -> None:
        """The same, but messages that are held back go out under the new key."""
        self.writer.protection = protection
        if protection is not None and self.observer is not None:
            self._tell_keys("send", protection)

    def _tell_keys(self, direction: str, protection: Protection) -> None:
        suite = self.agreed.cipher_suite
        self.tell(trace.KeysInstalled(self.now(), self.side, direction, protection.epoch, suite))

    def forget_secrets(self) -> None:
        """The connection failed: nothing of it may be of use any more, tickets aside."""
        self.early_data_limit = None
        self.early_data_writable = 0
        self.read_secret = self.write_secret = self.resumption_secret = b""
        self.agreed.exporter_secret = self.agreed.early_exporter_secret = self.agreed.main_secret = b""

    def derived(self, label: str, parent: str, secret: bytes) -> None:
        """Tells the trace that a secret was derived; its value is not part of the story."""
        self.tell(trace.SecretDerived(self.now(), self.side, label, parent, fingerprint(secret)))

    # --- the trace

    def decided(
        self,
        what: str,
        chosen: int | str | None,
        *,
        offered: Iterable[Any] = (),
        supported: Iterable[Any] = (),
        kind: type[IntEnum] | None = None,
        why: str = "",
        rule: str = "",
        step: Step = Step.AGREE,
    ) -> None:
        """Tells the trace of one choice. With a `kind` the offers are numbers, named by that registry, else words."""
        if self.observer is None:
            return
        if kind is not None:
            if isinstance(chosen, int):
                chosen = name_of(kind, chosen)
            offered, supported = names_of(kind, offered), names_of(kind, supported)
        taken = str(chosen or "none")
        self.tell(trace.Decided(self.now(), self.side, step, rule, what, taken, tuple(offered), tuple(supported), why))


def tell_nobody(_record: TraceRecord) -> None:
    """In place of the observer where there is none."""


def illegal(code: str, message: str, rule: str) -> PeerMisbehaved:
    """The exception for a value that has the right form but must not be there."""
    return PeerMisbehaved(AlertDescription.ILLEGAL_PARAMETER, code, message, rule)


def missing(extension: str, where: str) -> PeerMisbehaved:
    """The exception for an extension without which a message makes no sense (RFC 9846 section 9.2)."""
    return PeerMisbehaved(
        AlertDescription.MISSING_EXTENSION,
        "missing-extension",
        f"{where} lacks the extension {extension}",
        "RFC 9846 section 9.2",
    )


def wrong_legacy_version(where: str, version: int, rule: str) -> PeerMisbehaved:
    """The exception for a TLS 1.3 hello whose frozen version field is not that of TLS 1.2."""
    return PeerMisbehaved(
        AlertDescription.PROTOCOL_VERSION,
        "legacy-version",
        f"{where} has the legacy_version {version:#06x} instead of 0x0303",
        rule,
    )

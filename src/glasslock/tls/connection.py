"""What the client's and the server's end of a connection have in common (`endpoints`): bytes in, bytes and events out.

The connection owns the two halves of the record layer and drives one handshake script. What the peer does
wrong raises a `TLSError` from `receive_data`; the alert that tells the peer is then already queued, and what
was received before is in `take_events`. Nothing here reads a clock, a file or a socket.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from .. import trace
from ..errors import ConfigurationError, ConnectionTruncated, GlasslockError, PeerAlert, TLSError
from ..registry import (
    TLS_1_2,
    TLS_1_3,
    AlertDescription,
    AlertLevel,
    Side,
    name_of,
)
from ..trace import Observer, Step
from .config import Config, ServerConfig
from .events import Data, Event, PeerClosed, Undecided
from .handshake.agreed import Agreed
from .handshake.context import FOR_CHANGE_CIPHER_SPEC, Handshake, HandshakeScript, Question, Script, Wait
from .handshake.incoming import IncomingMessages
from .handshake.post_handshake import send_key_update
from .keys.key_schedule import export
from .keys.suites import SUITES_12, SUITES_13
from .keys.transcript import ENDED
from .protection import APPLICATION_DATA, Content, Protection13, unexpected
from .record import ALERT, CHANGE_CIPHER_SPEC, HANDSHAKE, RecordReader, RecordWriter
from .short_way import ShortWay


class Connection(ShortWay):
    """What client and server connections have in common; make one of these, not this."""

    __slots__ = (
        "_canceled",
        "_change_cipher_specs",
        "_config",
        "_failure",
        "_messages",
        "_received_close",
        "_script",
        "_sent_close",
        "_side",
        "_undecided",
        "_waiting",
    )

    def __init__(self, config: Config, side: Side) -> None:
        self._config = config
        self._side = side
        self._reader = RecordReader()
        self._writer = RecordWriter()
        self._writer.padding = config.padding
        self._writer.max_fragment = config.max_fragment
        self._messages = IncomingMessages(config.limits)
        self._hs = Handshake(config, side, self._reader, self._writer, self._messages)
        self._script: Script | HandshakeScript  # set by `_start`; it goes on until the connection ends
        self._waiting: Wait | Question | None = None
        self._undecided: Question | None = None  # the same, while it is for somebody outside to answer
        self._change_cipher_specs = 0
        self._warnings = 0
        self._failure: TLSError | None = None
        self._sent_close = False
        self._received_close = False
        self._canceled = False  # we gave up before the handshake was done: nothing that comes counts any more
        if config.observer is not None:
            records = _Records(config.observer, config.clock, side)
            self._reader.listener = records.received
            self._writer.listener = records.sent

    # --- what the user reads

    @property
    def agreed(self) -> Agreed:
        """Version, suite, group, names, the peer's chain: what is agreed so far."""
        return self._hs.agreed

    @property
    def handshake_done(self) -> bool:
        """Whether application data may flow."""
        return self._hs.application_data

    @property
    def can_send(self) -> bool:
        """Whether `send_data` works: once the handshake is done, and on a TLS 1.3 server already before the client's
        Finished, unless it asked for the client's certificate. Until then nobody has shown to be there (a replay can
        bring a server this far), so only an answer to early data should go out so soon (RFC 9846 section 2.3).
        """
        return self._hs.may_send and not self._sent_close and self._failure is None

    @property
    def failure(self) -> TLSError | None:
        """The error that ended this connection, if one did."""
        return self._failure

    @property
    def peer_closed(self) -> bool:
        """Whether the peer's close_notify has arrived."""
        return self._received_close

    @property
    def tickets_expected(self) -> bool:
        """Whether we are a client to whom the server has said nothing yet since the handshake, though we sent data.

        With TLS 1.3 its tickets are on their way then: the first thing that it sends once it has our Finished.
        """
        reading, writing = self._reader.protection, self._writer.protection
        return (
            self._side is Side.CLIENT
            and self._hs.application_data
            and isinstance(reading, Protection13)
            and reading.sequence == 0
            and writing is not None
            and writing.sequence > 0
        )

    @property
    def buffered(self) -> int:
        """Bytes that were fed and wait for the rest of their record."""
        return self._reader.buffered

    # --- in

    def receive_data(self, data: Content) -> list[Event]:
        """Takes bytes from the peer; returns what they mean. Raises TLSError if they must not be."""
        if self._failure is not None:
            raise self._failure
        if self._received_close or self._canceled:
            return []
        self._reader.feed(data)
        try:
            self._read_records()
        except GlasslockError as problem:
            self._end(problem)
        hs = self._hs
        events, hs.events = hs.events, []
        return events

    def _key_to_open(self) -> Protection13 | None:
        """The key that the peer's data is under, while nothing keeps its records from the short way."""
        hs, reader = self._hs, self._reader
        if (
            hs.application_data
            and hs.observer is None
            and not (self._received_close or self._canceled or hs.authenticating or reader.mid_message)
            and self._undecided is None
            and isinstance(reader.protection, Protection13)
        ):
            return reader.protection
        return None

    def receive_eof(self, problem: str = "") -> None:
        """The transport ended. Raises ConnectionTruncated unless the peer said close_notify before.

        `problem` is what the transport says of it, if it did not end in peace: "Connection reset by peer".
        """
        if self._failure is not None or self._received_close or self._canceled:
            return
        how = f" ({problem})" if problem else ""
        if self._hs.application_data:
            error = ConnectionTruncated(f"the connection ended without close_notify: data may be missing{how}")
        else:
            if self._side is Side.SERVER and self._hs.agreed.own_chain:
                how += ": it has seen our certificate, and may not trust it"
            error = ConnectionTruncated(f"the peer cut the connection in the middle of the handshake{how}")
        self._stop(error)
        raise error

    def take_events(self) -> list[Event]:
        """The events that nobody has taken yet."""
        events = self._hs.events
        self._hs.events = []
        return events

    def answer(self, value: Any) -> list[Event]:
        """Answers the question of an `Undecided` event; an exception as `value` refuses."""
        if self._undecided is None:
            raise ConfigurationError("the connection has asked no question")
        if self._failure is not None or self._canceled:
            return []
        if isinstance(value, Exception) and not isinstance(value, GlasslockError):
            value = ConfigurationError(f"the question was answered with {value!r}")
        try:
            self._resume(value)
            self._read_records()
        except GlasslockError as problem:
            self._end(problem)
        return self.take_events()

    def _read_records(self) -> None:
        """All whole records, until somebody has to decide something."""
        reader, content_type, fragment = self._reader, 0, b""
        reader.short = self._writer.short = None
        next_record = reader.next
        while not (self._received_close or self._undecided):
            record = next_record()
            if record is None:
                break
            content_type, fragment = record
            if content_type == APPLICATION_DATA:
                self._read_data(fragment)
            elif content_type == HANDSHAKE:
                self._read_messages(fragment)
            elif content_type == ALERT:
                self._read_alert(fragment)
            elif content_type == CHANGE_CIPHER_SPEC:
                self._read_change_cipher_spec(fragment)
            else:
                raise unexpected("unknown-record-type", f"a protected record of the unknown type {content_type}")
        self._flush()
        if content_type == APPLICATION_DATA and fragment and not reader.buffered:
            reader.short = self._key_to_open()

    def _flush(self) -> None:
        """Queued messages go out together; what belongs together waits for the answer to a question."""
        if self._hs.pending and self._undecided is None:
            self._hs.flush()

    def _read_data(self, fragment: bytes) -> None:
        hs = self._hs
        if self._reader.mid_message or hs.authenticating:
            raise unexpected("interleaved", "application data between handshake messages", "RFC 9846 section 5.1")
        early = not hs.application_data
        if early:
            if hs.early_data_limit is None:
                raise unexpected("early-application-data", "application data before the handshake is done")
            if len(fragment) > hs.early_data_limit:
                raise unexpected("too-much-early-data", "more 0-RTT data than allowed", "RFC 9846 section 4.7.1")
            hs.early_data_limit -= len(fragment)
        if fragment:  # an empty record is no progress, so it resets no count
            hs.data_received += 1
            self._warnings = 0
            hs.events.append(Data(fragment, early))
            if hs.observer is not None:
                hs.tell(trace.DataReceived(time=hs.now(), side=self._side, data=fragment))

    def _read_messages(self, fragment: bytes) -> None:
        self._messages.feed(fragment)
        if self._waiting is FOR_CHANGE_CIPHER_SPEC:
            self._hs.refuse_messages()
        else:
            self._resume(None)

    def _read_alert(self, fragment: bytes) -> None:
        if self._messages.unread:
            raise unexpected("interleaved", "an alert inside a handshake message", "RFC 9846 section 5.1")
        if len(fragment) != 2:
            raise TLSError(
                AlertDescription.DECODE_ERROR, "bad-alert", "an alert is not two bytes", "RFC 9846 section 6"
            )
        level, description = fragment
        if level not in (AlertLevel.WARNING, AlertLevel.FATAL):
            raise TLSError(
                AlertDescription.ILLEGAL_PARAMETER,
                "bad-alert-level",
                f"an alert of level {level}",
                "RFC 9846 section 6",
            )
        hs = self._hs
        if hs.observer is not None:
            hs.tell(trace.AlertReceived(time=hs.now(), side=self._side, level=level, description=description))
        if description == AlertDescription.CLOSE_NOTIFY:
            self._received_close = True
            if not hs.application_data:
                raise TLSError(None, "closed-in-handshake", "the peer closed the connection in mid-handshake")
            hs.events.append(PeerClosed())
            self._tell_closed(clean=True)
        elif description == AlertDescription.USER_CANCELED or (level == AlertLevel.WARNING and self._may_be_tls12):
            self._warnings += 1
            if self._warnings > self._config.limits.warning_alerts:
                raise unexpected("too-many-warnings", "too many warning alerts in a row", "RFC 9846 section 6")
        else:
            try:
                raise PeerAlert(AlertDescription(description))
            except ValueError:
                raise PeerAlert(description) from None

    @property
    def _is_tls13(self) -> bool:
        version = self._hs.agreed.version
        return version >= TLS_1_3 or (version == 0 and max(self._config.versions) > 0x0303)

    @property
    def _may_be_tls12(self) -> bool:
        return self._hs.agreed.version < TLS_1_3 and TLS_1_2 in self._config.versions

    def _read_change_cipher_spec(self, fragment: bytes) -> None:
        if self._messages.unread:
            raise unexpected("interleaved", "ChangeCipherSpec inside a handshake message", "RFC 9846 section 5.1")
        if fragment != b"\x01":
            raise unexpected("bad-change-cipher-spec", "a ChangeCipherSpec other than the byte 1", "RFC 9846 section 5")
        if self._waiting is FOR_CHANGE_CIPHER_SPEC:
            self._resume(b"")
            return
        # A server that keeps no state between two ClientHellos sees this one first (section 4.3.2).
        stateless = isinstance(self._config, ServerConfig) and self._config.cookie_keys is not None
        first = self._side is Side.SERVER and not self._hs.agreed.client_random and not stateless
        if self._hs.application_data or first or not self._is_tls13:
            raise unexpected("unexpected-change-cipher-spec", "a ChangeCipherSpec out of place", "RFC 9846 section 5")
        self._change_cipher_specs += 1
        if self._change_cipher_specs > self._config.limits.change_cipher_specs:
            raise unexpected("too-many-change-cipher-specs", "too many ChangeCipherSpecs", "RFC 9846 section 5")

    # --- the script

    def _start(self, script: HandshakeScript) -> None:
        """Up to the first wait: no peer has had a say yet, so what goes wrong here is the caller's to hear as it is."""
        self._script = script
        self._resume(None)
        self._hs.flush()

    def _resume(self, value: Any) -> None:
        """Lets the script go on: there is more to read, or an answer, or an exception in place of one."""
        script = self._script
        try:
            waiting = script.throw(value) if isinstance(value, Exception) else script.send(value)
        except StopIteration as end:  # of the handshake
            self._script = end.value
            self._hs.transcript = ENDED
            waiting = next(self._script)
        self._waiting = waiting
        self._undecided = None
        if isinstance(waiting, Question):
            self._undecided = waiting
            self._hs.events.append(Undecided(waiting))
        self._reader.mid_message = self._messages.unread > 0

    # --- out

    def send_data(self, data: Content) -> None:
        """Encrypts application data for the peer; ConfigurationError before the handshake is done."""
        hs = self._hs
        if self._failure is not None:
            raise self._failure
        if not hs.may_send:
            raise ConfigurationError("application data can be sent once the handshake is done")
        if self._sent_close:
            raise ConfigurationError("nothing can be sent after close")
        if not data:
            return
        if hs.observer is not None:
            hs.tell(trace.DataSent(time=hs.now(), side=self._side, data=bytes(data)))
        try:
            # Before a key is used up, the next one takes its place (RFC 9846 section 5.5).
            if hs.key_update_pending or not self._has_room(data):
                if not self._reader.tls13:
                    raise TLSError(
                        AlertDescription.INTERNAL_ERROR,
                        "key-used-up",
                        "the key has protected all that it may, and TLS 1.2 makes no new one: open a new connection",
                        "RFC 9846 section 5.5",
                    )
                send_key_update(hs, request_peer=False)
            self._writer.write(APPLICATION_DATA, data)
        except GlasslockError as problem:
            self._end(problem)

    def _key_to_seal(self) -> Protection13 | None:
        """The key that our data is under, while nothing keeps its records from the short way."""
        hs, writer = self._hs, self._writer
        if (
            hs.may_send
            and hs.observer is None
            and not (writer.closed or writer.queued or hs.pending or hs.key_update_pending)
            and writer.padding is None
            and isinstance(writer.protection, Protection13)
        ):
            return writer.protection
        return None

    def _has_room(self, data: Content) -> bool:
        """Whether the key may still protect this much."""
        protection = self._writer.protection
        records = len(data) // self._writer.max_fragment + 1
        return protection is None or protection.sequence + records <= protection.record_limit

    def update_keys(self, *, request_peer: bool = False) -> None:
        """New keys for what we send, and for what the peer sends if `request_peer` (RFC 9846 section 4.7.3)."""
        if self._failure is not None:
            raise self._failure
        if not self._hs.application_data or not self._is_tls13 or self._sent_close:
            raise ConfigurationError("keys can be updated in TLS 1.3, after the handshake and before the end")
        try:
            send_key_update(self._hs, request_peer)
            self._flush()
        except GlasslockError as problem:
            self._end(problem)

    def data_to_send(self) -> bytes:
        """Everything that has to go to the peer now."""
        return self._writer.data_to_send()

    @property
    def has_data_to_send(self) -> bool:
        """Whether anything has to go to the peer now."""
        return self._writer.queued

    def close(self) -> None:
        """Says close_notify: we send nothing more, but may still receive (RFC 9846 section 6.1)."""
        if self._sent_close or self._failure is not None:
            return
        if not self._hs.application_data:
            self._canceled = True
            self._hs.send_alert(AlertLevel.WARNING, AlertDescription.USER_CANCELED, "closed by the user")
        self._hs.send_alert(AlertLevel.WARNING, AlertDescription.CLOSE_NOTIFY)
        self._sent_close = self._writer.closed = True

    def abort(self, error: TLSError) -> None:
        """Ends the connection with an error of the caller's own, such as a policy that was not met."""
        if self._failure is None:
            self._fail(error)

    def _end(self, problem: GlasslockError) -> NoReturn:
        """Raises what went wrong; but first the peer is told."""
        if isinstance(problem, TLSError):
            self._fail(problem)
            raise problem
        internal = TLSError(AlertDescription.INTERNAL_ERROR, "internal", str(problem))
        self._fail(internal)
        raise internal from problem

    def _fail(self, error: TLSError) -> None:
        if not isinstance(error, PeerAlert):
            self._refuse(error)
        self._stop(error)

    def _refuse(self, error: TLSError) -> None:
        """Tells the peer, and whoever follows the story, why we end."""
        hs = self._hs
        if hs.observer is not None:
            hs.tell(
                trace.Refused(
                    time=hs.now(),
                    side=self._side,
                    step=Step.PROTECT if hs.application_data else Step.AGREE,
                    rule=error.rule,
                    code=error.code,
                    alert=name_of(AlertDescription, error.alert) if error.alert is not None else "",
                    message=error.message,
                )
            )
        if error.alert is not None and not self._sent_close:
            hs.flush()
            hs.send_alert(AlertLevel.FATAL, error.alert, error.message)

    def _stop(self, error: TLSError) -> None:
        """Nothing goes out any more, and what keys could be made of is forgotten (RFC 9846 section 6)."""
        self._failure = error
        self._writer.closed = True
        self._reader.protection = self._writer.protection = None
        self._reader.short = self._writer.short = None
        self._script = _over()
        self._hs.forget_secrets()
        self._tell_closed(clean=False, problem=error.message)

    # --- more to ask for

    def export_keying_material(self, label: str, length: int, context: bytes | None = None) -> bytes:
        """A secret of `length` bytes that only the two ends can know (RFC 9846 section 7.5, RFC 5705)."""
        agreed = self._hs.agreed
        if agreed.version == TLS_1_2 and agreed.main_secret:
            from .keys.prf import export12

            hash_ = SUITES_12[agreed.cipher_suite].hash
            randoms = agreed.client_random, agreed.server_random
            with _exporting():
                return export12(hash_, agreed.main_secret, *randoms, label.encode("ascii"), context, length)
        return self._export(agreed.exporter_secret, agreed.cipher_suite, label, length, context or b"")

    def export_early_keying_material(self, label: str, length: int, context: bytes = b"") -> bytes:
        """The same from the 0-RTT keys: not fresh if the ClientHello was replayed."""
        agreed = self._hs.agreed
        return self._export(agreed.early_exporter_secret, agreed.early_cipher_suite, label, length, context)

    def channel_binding(self) -> bytes:
        """`tls-exporter` of this connection, 32 bytes (RFC 9266)."""
        if not self._hs.agreed.extended_main_secret:
            raise ConfigurationError("without extended_main_secret there is no channel binding (RFC 9266 section 4.2)")
        return self.export_keying_material("EXPORTER-Channel-Binding", 32, b"")

    def tls_unique(self) -> bytes:
        """`tls-unique` of this TLS 1.2 connection, 12 bytes (RFC 5929 section 3); TLS 1.3 has `channel_binding`.

        Resumptions have extended_main_secret here, without which it would not be unique (RFC 7627 section 1).
        """
        if not self._hs.application_data or not self._hs.agreed.first_finished:
            raise ConfigurationError("tls-unique is there once a handshake of TLS 1.2 is done (RFC 5929 section 3)")
        return self._hs.agreed.first_finished

    def _export(self, secret: bytes, suite: int, label: str, length: int, context: bytes) -> bytes:
        if not secret:
            raise ConfigurationError("there is nothing to export from")
        with _exporting():
            return export(SUITES_13[suite].hash, secret, label.encode("ascii"), context, length)

    # --- the trace

    def _tell_closed(self, *, clean: bool, problem: str = "") -> None:
        if self._hs.observer is not None:
            self._hs.tell(trace.ConnectionClosed(time=self._hs.now(), side=self._side, clean=clean, problem=problem))


class _Records:
    """Tells the trace of every record. It does not know the connection: one that its own record layer led back to
    would be freed by the garbage collector alone.
    """

    __slots__ = ("_now", "_observer", "_side")

    def __init__(self, observer: Observer, now: Callable[[], float], side: Side) -> None:
        self._observer = observer
        self._now = now
        self._side = side

    def sent(self, content_type: int, length: int, protected: bool, epoch: str, raw: bytes) -> None:
        self._observer(trace.RecordSent(self._now(), self._side, content_type, length, protected, epoch, raw))

    def received(self, content_type: int, length: int, protected: bool, epoch: str, raw: bytes) -> None:
        self._observer(trace.RecordReceived(self._now(), self._side, content_type, length, protected, epoch, raw))


@contextlib.contextmanager
def _exporting() -> Iterator[None]:
    """A label, a context or a length that the formats have no room for."""
    try:
        yield
    except (ValueError, OverflowError) as problem:
        raise ConfigurationError(f"this cannot be exported: {problem}") from problem


def _over() -> Script:
    """In place of a script that failed, with all the secrets that it held."""
    return
    yield

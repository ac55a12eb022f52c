"""The short way of application data, which nearly every record of a connection takes.

While nothing but data can be due, all that a direction of a connection needs is its key; and a record, from the
user's bytes to those on the wire, is one AEAD call with a nonce, a header and the content type around it:

    header = 0x17 0x03 0x03 length
    nonce  = iv XOR sequence number                                     RFC 9846 section 5.3
    record = header || AEAD-Encrypt(key, nonce, content || 0x17, header)         section 5.2

`RecordWriter.short` and `RecordReader.short` hold that key while the way is open. Data that went the ordinary way
(`send_data`, `receive_data`) opens it; any other record, any error, close_notify or a new key closes it. So whatever
the ordinary way would check or count stands as the last record left it. TLS 1.2, padding of our own and connections
that somebody observes have no short way. A record that turns out not to be plain data is left to the ordinary way,
as if the short one had not seen it. A header says nothing but the length, so the last one is kept, for messages that
are as long as the one before.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from struct import Struct
from typing import Final

from cryptography.exceptions import InvalidTag

from ..errors import GlasslockError
from .events import Data, Event
from .handshake.context import Handshake
from .protection import APPLICATION_DATA, HEADER_LENGTH, OVERHEAD_13, Content, Protection13
from .record import RecordReader, RecordWriter

_HEADER: Final = slice(HEADER_LENGTH)  # of a record; made once and not for each one
_BODY: Final = slice(HEADER_LENGTH, None)
_DATA: Final = bytes((APPLICATION_DATA,))
_DATA_RECORD: Final = b"\x17\x03\x03"
_HIDDEN: Final = OVERHEAD_13 - HEADER_LENGTH  # bytes of a record's body that are not content
_header: Final = Struct(">3sH").pack


class ShortWay(ABC):
    """What `Connection` is for those who send and receive data, and need no events for that."""

    __slots__ = ("_hs", "_reader", "_warnings", "_writer")

    _hs: Handshake
    _reader: RecordReader
    _writer: RecordWriter
    _warnings: int

    def encrypt(self, data: bytes) -> bytes:
        """`send_data` and `data_to_send` in one: everything that has to go to the peer now, `data` included."""
        writer = self._writer
        key, size = writer.short, len(data)
        if key is None or (sequence := key.sequence) >= key.record_limit:
            return self._send_the_ordinary_way(data)
        if size != writer.short_length:
            if not 0 < size <= writer.max_fragment:
                return self._send_the_ordinary_way(data)
            writer.short_length, writer.short_header = size, _header(_DATA_RECORD, size + _HIDDEN)
        header = writer.short_header
        inner = data + _DATA
        key.sequence = sequence + 1  # before the nonce is used, lest anything could use it twice
        return header + key.aead.encrypt((key.iv ^ sequence).to_bytes(12), inner, header)

    def decrypt(self, data: bytes) -> bytes:
        """`receive_data` for those who want the data: all of it that is whole now, maybe none.

        Everything else that was received, early data included, is in `take_events`; and it may have to be answered,
        with `data_to_send`. Raises TLSError as `receive_data` does.
        """
        reader = self._reader
        key, length = reader.short, len(data)
        if key is None:
            return self._receive_the_ordinary_way(data)
        if length != reader.short_length:
            if not OVERHEAD_13 < length < OVERHEAD_13 + key.max_plaintext:
                return self._receive_the_ordinary_way(data)
            reader.short_length, reader.short_header = length, _header(_DATA_RECORD, length - HEADER_LENGTH)
        header, sequence = reader.short_header, key.sequence
        body = data.removeprefix(header)
        if len(body) == length:  # another header was before it
            return self._receive_the_ordinary_way(data)
        try:
            inner = key.aead.decrypt((key.iv ^ sequence).to_bytes(12), body, header)
        except InvalidTag:
            return self._receive_the_ordinary_way(data)  # which says what is wrong
        content = inner.removesuffix(_DATA)
        if content == inner:  # it ends in another type, or in padding
            return self._receive_the_ordinary_way(data)
        key.sequence = sequence + 1
        return content

    def encrypt_into(self, data: memoryview, buffer: memoryview) -> memoryview:
        """`encrypt` without new memory: makes the records in `buffer`, if there is room and nothing has to go before.

        Returns what is to be sent: the first part of `buffer`, or else bytes of its own. Each record of up to 16 KiB
        takes 22 bytes more than its content. Both arguments are views of bytes. From a few KiB on it is faster.
        """
        writer = self._writer
        key, size = writer.short, len(data)
        if key is None or (sequence := key.sequence) >= key.record_limit:
            return self._encrypt_records_into(data, buffer)
        if size != writer.short_length:
            if not 0 < size <= writer.max_fragment:
                return self._encrypt_records_into(data, buffer)
            writer.short_length, writer.short_header = size, _header(_DATA_RECORD, size + _HIDDEN)
        end = size + OVERHEAD_13
        if end > len(buffer):
            return self._encrypt_records_into(data, buffer)
        buffer[_HEADER] = header = writer.short_header
        inner = b"".join((data, _DATA))
        key.sequence = sequence + 1  # as above
        key.aead.encrypt_into((key.iv ^ sequence).to_bytes(12), inner, header, buffer[HEADER_LENGTH:end])
        return buffer[:end]

    def decrypt_into(self, data: memoryview, buffer: memoryview) -> int:
        """`decrypt` without new memory: puts it into `buffer`, which has room for all of `data` and a record more.

        Returns how many bytes that was; what is in the buffer behind them means nothing. An error that comes behind
        data is raised by the next call; what came between them is in `take_events` then. Both arguments are views of
        bytes. A record has up to 16 KiB.
        """
        reader = self._reader
        key, length = reader.short, len(data)
        if key is None:
            return self._decrypt_records_into(data, buffer)
        if length != reader.short_length:
            if not OVERHEAD_13 < length < OVERHEAD_13 + key.max_plaintext:
                return self._decrypt_records_into(data, buffer)
            reader.short_length, reader.short_header = length, _header(_DATA_RECORD, length - HEADER_LENGTH)
        header, sequence, size = reader.short_header, key.sequence, length - OVERHEAD_13
        if data[_HEADER] != header or length > len(buffer):
            return self._decrypt_records_into(data, buffer)
        try:
            key.aead.decrypt_into((key.iv ^ sequence).to_bytes(12), data[_BODY], header, buffer[: size + 1])
        except InvalidTag:
            buffer[: size + 1] = bytes(size + 1)  # nothing of a forgery stays
            return self._receive_into(data, buffer)
        if buffer[size] != APPLICATION_DATA:  # another type, or padding
            return self._receive_into(data, buffer)
        key.sequence = sequence + 1
        return size

    # --- what is not one record on the short way

    def _encrypt_records_into(self, data: memoryview, buffer: memoryview) -> memoryview:
        writer = self._writer
        key = writer.short or self._key_to_seal()
        if key is not None:
            written = key.seal_into(data, buffer, writer.max_fragment)
            if written:
                writer.short = key
                return buffer[:written]
        return memoryview(self._send_the_ordinary_way(data))

    def _decrypt_records_into(self, data: memoryview, buffer: memoryview) -> int:
        reader, received = self._reader, 0
        key = reader.short or self._key_to_open()
        if key is not None:
            waiting = reader.buffered
            if waiting:
                record, rest = reader.complete(data)
                used, received = key.open_into(memoryview(record), buffer)
                if used:
                    reader.forget()
                    data, waiting = rest, 0
            if not waiting:
                used, count = key.open_into(data, buffer[received:] if received else buffer)
                received += count
                data = data[used:]
            if received and reader.short is None:
                reader.note_progress()
                self._warnings = 0
                self._hs.data_received += 1
            if received and not data and not waiting:
                reader.short = key
                return received
            if data and not waiting and reader.begin(data):
                reader.short = None
                return received
        try:
            return received + self._receive_into(data, buffer[received:])
        except GlasslockError:
            if received:
                return received
            raise

    def _send_the_ordinary_way(self, data: Content) -> bytes:
        self.send_data(data)
        sealed = self.data_to_send()
        self._writer.short = self._key_to_seal()
        return sealed

    def _receive_the_ordinary_way(self, data: Content) -> bytes:
        contents, others = [], []
        for event in self.receive_data(data):
            if isinstance(event, Data) and not event.early:
                contents.append(event.data)
            else:
                others.append(event)
        self._hs.events = others
        return contents[0] if len(contents) == 1 else b"".join(contents)

    def _receive_into(self, data: memoryview, buffer: memoryview) -> int:
        contents = self._receive_the_ordinary_way(data)
        buffer[: len(contents)] = contents
        return len(contents)

    # --- what `Connection` adds

    @abstractmethod
    def send_data(self, data: Content) -> None: ...

    @abstractmethod
    def data_to_send(self) -> bytes: ...

    @abstractmethod
    def receive_data(self, data: Content) -> list[Event]: ...

    @abstractmethod
    def _key_to_open(self) -> Protection13 | None: ...

    @abstractmethod
    def _key_to_seal(self) -> Protection13 | None: ...

"""Messages and extensions: what is written is read again, and what is read is written again (hypothesis)."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import PeerMisbehaved
from glasslock.registry import AlertDescription, HandshakeType
from glasslock.tls.wire import extensions as ext
from glasslock.tls.wire import messages as m
from glasslock.tls.wire.codec import Reader

from ..puppet import CLASSES

U8, U16, U32 = st.integers(0, 0xFF), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF)


def octets(minimum: int = 0, maximum: int = 40) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=minimum, max_size=maximum)


EXTENSIONS = st.dictionaries(U16, octets(), max_size=6)
ENTRIES = st.lists(st.builds(m.CertificateEntry, octets(1), EXTENSIONS), max_size=3).map(tuple)

MESSAGES: dict[HandshakeType, st.SearchStrategy[Any]] = {
    HandshakeType.CLIENT_HELLO: st.builds(
        m.ClientHello,
        random=octets(32, 32),
        session_id=octets(0, 32),
        cipher_suites=st.lists(U16, min_size=1, max_size=9).map(tuple),
        extensions=EXTENSIONS,
        legacy_version=U16,
        compression_methods=octets(1, 255),
    ),
    HandshakeType.SERVER_HELLO: st.builds(
        m.ServerHello,
        random=octets(32, 32),
        session_id=octets(0, 32),
        cipher_suite=U16,
        extensions=EXTENSIONS,
        legacy_version=U16,
        compression_method=U8,
    ),
    HandshakeType.ENCRYPTED_EXTENSIONS: st.builds(m.EncryptedExtensions, EXTENSIONS),
    HandshakeType.CERTIFICATE_REQUEST: st.builds(m.CertificateRequest, octets(0, 255), EXTENSIONS),
    HandshakeType.CERTIFICATE: st.builds(m.Certificate, ENTRIES, octets(0, 255)),
    HandshakeType.COMPRESSED_CERTIFICATE: st.builds(
        m.CompressedCertificate, U16, st.integers(0, 0xFFFFFF), octets(1, 300)
    ),
    HandshakeType.CERTIFICATE_VERIFY: st.builds(m.CertificateVerify, U16, octets(0, 300)),
    HandshakeType.FINISHED: st.builds(m.Finished, octets(0, 64)),
    HandshakeType.END_OF_EARLY_DATA: st.builds(m.EndOfEarlyData),
    HandshakeType.NEW_SESSION_TICKET: st.builds(
        m.NewSessionTicket, U32, U32, octets(0, 255), octets(1, 300), EXTENSIONS
    ),
    HandshakeType.KEY_UPDATE: st.builds(m.KeyUpdate, st.sampled_from((0, 1))),
}


def test_every_message_is_here() -> None:
    assert set(MESSAGES) == set(CLASSES)


@pytest.mark.parametrize("kind", MESSAGES)
def test_written_and_read(kind: HandshakeType) -> None:
    @given(MESSAGES[kind])
    def check(message: Any) -> None:
        raw = message.encode()
        assert raw[0] == kind
        assert int.from_bytes(raw[1:4], "big") == len(raw) - 4
        assert CLASSES[kind].parse(raw) == message

    check()


@pytest.mark.parametrize("kind", MESSAGES)
def test_read_and_written(kind: HandshakeType) -> None:
    """Any bytes are either refused with decode_error (or a duplicate extension), or written back as they were."""

    @given(st.binary(max_size=120))
    def check(body: bytes) -> None:
        raw = m.frame(kind, body)
        try:
            message = CLASSES[kind].parse(raw)
        except PeerMisbehaved:
            return
        assert message.encode() == raw

    check()


@pytest.mark.parametrize("kind", [kind for kind in MESSAGES if kind is not HandshakeType.FINISHED])
def test_every_cut_and_every_addition_is_refused(kind: HandshakeType) -> None:
    """Only Finished and what comes last has no length of its own. A hello may leave out its extensions."""

    @given(MESSAGES[kind], st.data())
    def check(message: Any, data: st.DataObject) -> None:
        body = message.encode()[4:]
        if body:
            cut = data.draw(st.integers(0, len(body) - 1))
            try:
                found = CLASSES[kind].parse(m.frame(kind, body[:cut]))
            except PeerMisbehaved:
                pass
            else:
                assert found.has_extensions is False
        with pytest.raises(PeerMisbehaved):
            CLASSES[kind].parse(m.frame(kind, body + data.draw(st.binary(min_size=1, max_size=3))))

    check()


def test_hellos_without_extensions() -> None:
    """Before TLS 1.3 the whole block may be missing (RFC 9846 section 4.2.2)."""
    hello = m.ClientHello(bytes(32), b"", (0x1301,), {}, has_extensions=False)
    assert m.ClientHello.parse(hello.encode()) == hello
    answer = m.ServerHello(bytes(32), b"", 0x1301, {}, has_extensions=False)
    assert m.ServerHello.parse(answer.encode()) == answer
    assert answer.encode() != m.ServerHello(bytes(32), b"", 0x1301, {}).encode()


# --- extensions -----------------------------------------------------------------------------------------------

NUMBERS = st.lists(U16, min_size=1, max_size=9).map(tuple)
BYTES = st.lists(octets(1, 9), min_size=1, max_size=4).map(tuple)
HOSTS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=255)

EXTENSION_PAIRS: dict[str, tuple[st.SearchStrategy[Any], Any, Any]] = {
    "server_name": (HOSTS, ext.write_server_name, ext.read_server_name),
    "supported_versions": (NUMBERS, ext.write_client_versions, ext.read_client_versions),
    "supported_groups": (NUMBERS, ext.write_u16_vector, lambda data: ext.read_u16_vector(data, "test")),
    "psk_key_exchange_modes": (
        st.lists(U8, min_size=1, max_size=9).map(tuple),
        ext.write_u8_vector,
        lambda data: ext.read_u8_vector(data, "test"),
    ),
    "compress_certificate": (NUMBERS, ext.write_compression_algorithms, ext.read_compression_algorithms),
    "cookie": (octets(1, 300), ext.write_cookie, ext.read_cookie),
    "application_layer_protocol_negotiation": (BYTES, ext.write_protocols, ext.read_protocols),
    "key_share of a client": (
        st.dictionaries(U16, octets(1, 40), max_size=4),
        ext.write_client_shares,
        ext.read_client_shares,
    ),
    "key_share of a server": (
        st.tuples(U16, octets(1, 40)),
        lambda value: ext.write_server_share(*value),
        ext.read_server_share,
    ),
    "certificate_authorities": (BYTES, ext.write_certificate_authorities, ext.read_certificate_authorities),
    "status_request": (octets(1, 300), ext.write_ocsp_status, ext.read_ocsp_status),
}


@pytest.mark.parametrize("name", EXTENSION_PAIRS)
def test_extensions_written_and_read(name: str) -> None:
    values, write, read = EXTENSION_PAIRS[name]

    @given(values)
    def check(value: Any) -> None:
        assert read(write(value)) == value

    check()


@pytest.mark.parametrize("name", EXTENSION_PAIRS)
def test_extensions_read_and_written(name: str) -> None:
    _, write, read = EXTENSION_PAIRS[name]

    @given(st.binary(max_size=60))
    def check(data: bytes) -> None:
        try:
            value = read(data)
        except PeerMisbehaved:
            return
        assert write(value) == data

    check()


@given(st.lists(st.tuples(octets(1, 40), U32, octets(32, 64)), min_size=1, max_size=3))
def test_pre_shared_keys_written_and_read(offered: list[tuple[bytes, int, bytes]]) -> None:
    identities = tuple((identity, age) for identity, age, _ in offered)
    binders = tuple(binder for _, _, binder in offered)
    data = ext.write_offered_psks(identities, binders)
    found = ext.read_offered_psks(data)
    assert (found.identities, found.binders) == (identities, binders)
    assert found.binders_length == 2 + sum(1 + len(binder) for binder in binders)


@given(st.binary(max_size=80))
def test_whatever_an_extension_holds_is_read_or_refused(data: bytes) -> None:
    readers = [
        ext.read_offered_psks,
        ext.wants_ocsp,
        ext.check_sct_list,
        ext.read_early_data_size,
        ext.read_record_size_limit,
        ext.read_ticket_request,
        ext.read_expected_tickets,
        lambda value: ext.read_u16(value, "test"),
    ]
    for read in readers:
        try:
            read(data)
        except PeerMisbehaved:
            continue


# --- the reader -------------------------------------------------------------------------------------------------


@given(st.binary(max_size=20), st.lists(st.sampled_from(("u8", "u16", "u24", "u32", "vector8", "rest")), max_size=9))
def test_a_reader_never_reads_beyond_its_end(data: bytes, steps: list[str]) -> None:
    reader = Reader(data, "test")
    with contextlib.suppress(PeerMisbehaved):
        for step in steps:
            getattr(reader, step)()
            assert reader.position + reader.remaining == len(data)
        reader.finish()
        assert reader.position == len(data)
    assert 0 <= reader.position <= len(data)


def test_what_ends_early_is_named() -> None:
    with pytest.raises(PeerMisbehaved, match="cookie ends early") as caught:
        Reader(b"\0\5abc", "cookie").vector16()
    assert (caught.value.code, caught.value.alert) == ("decode-error", AlertDescription.DECODE_ERROR)

"""What one connection leaves for the next: sessions as text, ticket keys, replay guards, session stores."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock.errors import ConfigurationError
from glasslock.tls import MemoryReplayGuard, Session, TicketKeys
from glasslock.tls.session import MemorySessionStore

from .pair import Clock, pair, server_config

SESSIONS = st.builds(
    Session,
    version=st.sampled_from((0x0303, 0x0304)),
    cipher_suite=st.integers(0, 0xFFFF),
    psk=st.binary(max_size=48),
    ticket=st.binary(max_size=99),
    session_id=st.binary(max_size=32),
    server_name=st.none() | st.text(max_size=20),
    alpn=st.none() | st.text(max_size=9),
    issued_at=st.floats(0, 4e9),
    lifetime=st.integers(0, 604800),
    age_add=st.integers(0, 0xFFFFFFFF),
    max_early_data=st.integers(0, 0xFFFFFFFF),
    extended_main_secret=st.booleans(),
    peer_chain=st.lists(st.binary(max_size=30), max_size=3).map(tuple),
    peer_ocsp_response=st.none() | st.binary(max_size=30),
    peer_sct_list=st.none() | st.binary(max_size=30),
    group=st.integers(0, 0xFFFF),
    signature_scheme=st.integers(0, 0xFFFF),
)


@given(SESSIONS)
def test_sessions_to_text_and_back(session: Session) -> None:
    text = session.to_json()
    assert Session.from_json(text) == session
    assert Session.from_json(text.encode()) == session
    assert json.loads(text)["version"] == session.version


def test_a_session_from_a_file_resumes() -> None:
    server = server_config()
    session = Session.from_json(pair(server=server).done().tickets()[0].to_json())
    assert pair(server=server, session=session).done().client.agreed.resumed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "[]",
        "null",
        "7",
        "{}",
        '{"version": 772}',
        '{"version": "772", "cipher_suite": 4865, "psk": ""}',
        '{"version": 772, "cipher_suite": 4865, "psk": 7}',
        '{"version": 772, "cipher_suite": 4865, "psk": "not base64!"}',
        '{"version": 772, "cipher_suite": 4865, "psk": "", "unknown": 1}',
        '{"version": 772, "cipher_suite": 4865, "psk": "", "peer_chain": 7}',
        '{"version": 772, "cipher_suite": 4865, "psk": "", "peer_chain": [7]}',
        '{"version": 772, "cipher_suite": 4865, "psk": "", "server_name": 7}',
        '{"version": 772, "cipher_suite": 4865, "psk": "", "lifetime": "long"}',
        '{"version": 772, "cipher_suite": 4865, "psk": null}',
        b"\xff\xfe",
    ],
)
def test_what_is_no_session(text: str | bytes) -> None:
    with pytest.raises(ConfigurationError, match="no saved session"):
        Session.from_json(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3)))
def test_fields_of_any_kind_are_refused_or_right(value: Any) -> None:
    for name in ("version", "psk", "server_name", "peer_chain", "issued_at", "extended_main_secret"):
        text = json.dumps({"version": 772, "cipher_suite": 1, "psk": ""} | {name: value})
        try:
            session = Session.from_json(text)
        except ConfigurationError:
            continue
        assert Session.from_json(session.to_json()) == session


def test_the_secrets_of_a_session_do_not_show() -> None:
    session = pair().done().tickets()[0]
    assert session.psk.hex() not in repr(session)
    assert "psk" not in repr(session)


# --- ticket keys ----------------------------------------------------------------------------------------------


@given(st.binary(max_size=300))
def test_sealed_and_opened(content: bytes) -> None:
    keys = TicketKeys()
    sealed = keys.seal(content)
    assert keys.open(sealed) == content
    assert keys.seal(content) != sealed
    assert len(content) < 16 or content not in sealed


@given(st.binary(max_size=100))
def test_nothing_else_opens(ticket: bytes) -> None:
    assert TicketKeys(bytes(32)).open(ticket) is None


def test_the_form_of_a_ticket() -> None:
    """key name (16) | nonce (12) | ciphertext and tag."""
    clock = Clock()
    keys = TicketKeys(bytes(32), rotation=10, clock=clock)
    first, second = keys.seal(b"content"), keys.seal(b"content")
    assert first[:16] == second[:16]
    assert first[16:28] != second[16:28]
    assert len(first) == 16 + 12 + 7 + 16
    clock.now += 10
    assert keys.seal(b"content")[:16] != first[:16]
    assert keys.open(first) == b"content"


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="32 bytes"):
        TicketKeys(bytes(31))


def test_old_keys_are_forgotten() -> None:
    clock = Clock()
    keys = TicketKeys(rotation=10, clock=clock)
    for _ in range(20):
        keys.seal(b"x")
        clock.now += 10
    assert len(keys._keys) <= 4


# --- replay guard ---------------------------------------------------------------------------------------------


def test_a_guard_knows_what_it_has_seen() -> None:
    clock = Clock()
    guard = MemoryReplayGuard(clock=clock)
    assert guard.first_use(b"one", 10)
    assert not guard.first_use(b"one", 10)
    assert guard.first_use(b"two", 10)
    clock.now += 9.9
    assert not guard.first_use(b"one", 10)
    clock.now += 0.1
    assert guard.first_use(b"one", 10)


def test_a_guard_refuses_when_it_is_full() -> None:
    clock = Clock()
    guard = MemoryReplayGuard(capacity=2, clock=clock)
    assert guard.first_use(b"one", 10)
    clock.now += 5
    assert guard.first_use(b"two", 10)
    assert not guard.first_use(b"three", 10)
    clock.now += 5
    assert guard.first_use(b"three", 10)
    assert not guard.first_use(b"four", 10)


# --- session store --------------------------------------------------------------------------------------------


def test_a_store_keeps_for_a_while() -> None:
    clock = Clock()
    store = MemorySessionStore(clock=clock)
    store.put(b"id", b"content", 10)
    assert store.get(b"id") == b"content"
    assert store.get(b"other") is None
    clock.now += 10
    assert store.get(b"id") is None


def test_a_full_store_forgets_the_oldest() -> None:
    store = MemorySessionStore(capacity=2, clock=Clock())
    for number in range(3):
        store.put(b"%d" % number, b"content", 10)
    assert [store.get(b"%d" % number) for number in range(3)] == [None, b"content", b"content"]

"""How a connection ended: one answer for each way it can end."""

from __future__ import annotations

from dataclasses import replace

import pytest

from glasslock.registry import AlertDescription, AlertLevel, Side
from glasslock.trace import (
    AlertReceived,
    AlertSent,
    BodyReceived,
    ConnectionClosed,
    HandshakeCompleted,
    NameResolved,
    Refused,
    Step,
    TcpConnected,
    TraceRecord,
    VerdictReached,
)
from glasslock.views.ending import Ending, how_it_ended
from glasslock.views.story import Story, stories

from .sample import HOST, SCENES, T0, URL, good, run, served, unreached


def ending(records: list[TraceRecord]) -> Ending:
    (story,) = stories(records)
    return how_it_ended(story)


@pytest.mark.parametrize(
    ("scene", "padlock", "code", "stopped_at"),
    [
        ("good", True, "", None),
        ("http2", True, "", None),
        ("tls12", True, "", None),
        ("resumed", True, "", None),
        ("retried", True, "", None),
        ("expired", False, "NET::ERR_CERT_DATE_INVALID", Step.IDENTIFY),
        ("unknown_name", False, "ERR_NAME_NOT_RESOLVED", Step.REACH),
        ("refused_port", False, "ERR_CONNECTION_REFUSED", Step.REACH),
        ("plain_http", False, "ERR_SSL_PROTOCOL_ERROR", Step.PROTECT),
        ("alerted", False, "ERR_SSL_VERSION_OR_CIPHER_MISMATCH", Step.AGREE),
        ("cut_in_handshake", False, "ERR_CONNECTION_CLOSED", Step.AGREE),
        ("truncated", False, "ERR_CONNECTION_CLOSED", Step.PROTECT),
        ("tampered", False, "ERR_SSL_PROTOCOL_ERROR", Step.PROTECT),
        ("no_padlock", False, "", None),
        ("served", True, "", None),
        ("refused_by_client", False, "certificate_expired", Step.AGREE),
    ],
)
def test_each_scene(scene: str, padlock: bool, code: str, stopped_at: Step | None) -> None:
    end = ending(SCENES[scene]())
    assert (end.padlock, end.code) == (padlock, code)
    assert end.headline
    if scene != "plain_http":  # which step a garbled answer belongs to is the engine's to say
        assert end.stopped_at == stopped_at
    if not padlock:
        assert end.cause
        if scene != "no_padlock":
            assert end.fix
            assert end.who_can_fix or scene == "refused_by_client"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("connection refused", "ERR_CONNECTION_REFUSED"),
        ("no answer: timed out after 2 s", "ERR_CONNECTION_TIMED_OUT"),
        ("network is unreachable", "ERR_ADDRESS_UNREACHABLE"),
        ("connection reset by peer", "ERR_CONNECTION_RESET"),
        ("something else", "ERR_CONNECTION_FAILED"),
    ],
)
def test_each_way_not_to_be_reached_has_its_own_answer(error: str, code: str) -> None:
    end = ending(unreached(error))
    assert (end.code, end.cause) == (code, error)


@pytest.mark.parametrize("description", AlertDescription)
def test_each_fatal_alert_is_explained_to_both_sides(description: AlertDescription) -> None:
    peaceful = description in (AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED)
    for side in Side:
        connected = TcpConnected(time=T0, side=side, local=("::1", 1), remote=("::1", 443), seconds=0.0)
        alert = AlertReceived(time=T0, side=side, level=AlertLevel.FATAL, description=description)
        end = ending([connected, alert])
        assert not end.padlock
        assert (description.name.lower() in end.cause) is not peaceful


@pytest.mark.parametrize("code", ["unsupported-version", "no-common-suite", "http-request", "timeout", "anything-else"])
def test_a_server_is_not_told_to_mend_itself_as_if_it_were_the_client(code: str) -> None:
    def refused(side: Side) -> Ending:
        connected = TcpConnected(time=T0, side=side, local=("::1", 443), remote=("::1", 1), seconds=0.0)
        told = Refused(time=T0, side=side, step=Step.AGREE, code=code, alert="", message="because")
        return ending([connected, told])

    client, server = refused(Side.CLIENT), refused(Side.SERVER)
    assert (server.headline, server.code, server.cause) == ("This connection was refused", code, "because")
    assert server.fix
    assert server.fix != client.fix


def test_a_client_that_leaves_in_mid_handshake_is_called_one() -> None:
    connected = TcpConnected(time=T0, side=Side.SERVER, local=("::1", 443), remote=("::1", 1), seconds=0.0)
    closed = ConnectionClosed(time=T0 + 1, side=Side.SERVER, clean=False, problem="cut")
    end = ending([connected, closed])
    assert (end.headline, end.cause, end.stopped_at) == ("The client went away", "cut", Step.AGREE)


def test_the_first_cause_counts_not_what_follows_from_it() -> None:
    """A refused certificate also means an alert and a connection that did not end cleanly."""
    told = SCENES["expired"]()
    assert any(isinstance(r, AlertSent) and r.description == AlertDescription.CERTIFICATE_EXPIRED for r in told)
    assert any(isinstance(r, ConnectionClosed) and not r.clean for r in told)
    assert ending(told).code == "NET::ERR_CERT_DATE_INVALID"


def test_a_missing_close_after_a_whole_answer_is_only_a_warning() -> None:
    problem = "the connection ended without close_notify: data may be missing"
    told = [r for r in good() if not isinstance(r, ConnectionClosed)]
    told.append(ConnectionClosed(time=T0 + 1, side=Side.CLIENT, clean=False, problem=problem))
    end = ending(told)
    assert end.padlock
    assert end.warning == problem
    end = ending([r for r in told if not isinstance(r, BodyReceived)])
    assert not end.padlock
    assert end.cause == problem


def test_a_server_takes_no_offence_at_a_client_that_just_leaves() -> None:
    told: list[TraceRecord] = [r for r in served() if not isinstance(r, ConnectionClosed | BodyReceived)]
    told.append(ConnectionClosed(time=T0 + 1, side=Side.SERVER, clean=False, problem="cut"))
    assert ending(told).padlock
    assert ending(told).warning == "cut"


def test_a_resumed_connection_that_nobody_judged_says_so() -> None:
    told = [r for r in SCENES["resumed"]() if not isinstance(r, VerdictReached)]
    end = ending(told)
    assert not end.padlock
    assert "It continues an earlier one" in end.cause


def test_a_trace_that_just_stops_is_no_padlock() -> None:
    told = good()
    for end in range(1, len(told)):
        cut = told[:end]
        if not any(isinstance(r, HandshakeCompleted) for r in cut):
            assert not ending(cut).padlock, cut[-1]


# --- stories ----------------------------------------------------------------------------------------


def test_a_story_knows_what_was_visited() -> None:
    (story,) = stories(good())
    assert (story.host, story.port, story.url, story.side) == (HOST, 8443, URL, Side.CLIENT)
    (story,) = stories(SCENES["expired"]())
    assert story.url == f"{HOST}:8443"
    assert Story(()).url == "the server"


def test_timings_add_up() -> None:
    (story,) = stories(good())
    resolve, tcp, tls, server, transfer = story.timings()
    assert [t.name for t in story.timings()] == ["resolve", "TCP", "TLS", "server", "transfer"]
    assert (resolve.seconds, tcp.seconds, server.seconds, transfer.seconds) == (0.0042, 0.0214, 0.0346, 0.0021)
    assert tls.seconds == pytest.approx(0.022, abs=0.005)
    (story,) = stories(SCENES["expired"]())
    assert [t.seconds is None for t in story.timings()] == [False, False, True, True, True]


def test_several_connections_in_one_trace_are_told_apart() -> None:
    told = [*good(), *SCENES["expired"](), *SCENES["unknown_name"](), *SCENES["refused_port"]()]
    found = stories(told)
    assert [len(story.records) for story in found] == [
        len(SCENES[name]()) for name in ("good", "expired", "unknown_name", "refused_port")
    ]
    assert found[0].records + found[1].records + found[2].records + found[3].records == tuple(told)


def test_both_sides_of_one_connection_are_two_stories_the_client_s_first() -> None:
    visit = run()
    mixed = sorted([*visit.served, *visit.seen], key=lambda r: r.time)
    client, server = stories(mixed)
    assert [r.side for r in client.records] == [Side.CLIENT] * len(visit.seen)
    assert sorted(server.records, key=repr) == sorted(visit.served, key=repr)


def test_the_chain_is_the_path_that_was_accepted() -> None:
    (story,) = stories(good())
    assert len(story.chain) == 3
    (story,) = stories(SCENES["no_padlock"]())
    assert len(story.chain) == 2  # as received
    resolved = next(r for r in good() if isinstance(r, NameResolved))
    assert stories([replace(resolved)])[0].chain == ()

"""`glasslock demo`: the whole play, for real, and quick enough to be a pleasure."""

from __future__ import annotations

from glasslock.errors import CertificateRefused, TLSError
from glasslock.lab.demo import PAGE, PASSWORD, Stage, change_a_byte, impersonate, listen, perform
from glasslock.lab.eavesdropper import Eavesdropper
from glasslock.lab.relay import Relay
from glasslock.lab.site import Site
from glasslock.trace import AlertReceived, AlertSent, DataReceived, HttpRequest, HttpResponse, Refused, VerdictReached

from .command import glasslock


def test_the_demo_tells_the_whole_story() -> None:
    result = glasslock("demo")
    assert result.returncode == 0
    for words in (
        "1 REACH", "2 IDENTIFY", "3 AGREE", "4 PROTECT", "Connection is secure", "an eavesdropper listens",
        "one byte is changed on the way", "bad_record_mac", "an impostor answers instead",
        "NET::ERR_CERT_AUTHORITY_INVALID",
    ):  # fmt: skip
        assert words in result.stdout
    assert "READ" not in result.stdout


def test_the_visitor_reads_what_the_eavesdropper_cannot() -> None:
    stage = Stage()
    attacker = Eavesdropper()
    with Site(stage.credential, stage.pages) as site, Relay(site.address, attacker) as wire:
        records, error = stage.go(wire.address)
    assert error is None
    received = b"".join(record.data for record in records if isinstance(record, DataReceived))
    assert PAGE in received
    assert not attacker.finds(PASSWORD.encode())
    assert not attacker.finds(PAGE[:20])
    assert attacker.finds(b"bank.localhost"), "server_name is not encrypted, and the demo says so"
    assert any("bank.localhost" in fact for fact in attacker.learned())


def test_a_changed_byte_is_noticed_by_the_visitor_and_told_to_the_site() -> None:
    stage = Stage()
    with Site(stage.credential, stage.pages) as site:
        scene = change_a_byte(stage, site)
    assert any(isinstance(record, Refused) and record.code == "bad-record-mac" for record in scene.records)
    assert any(isinstance(record, AlertSent) for record in scene.records)
    assert not any(isinstance(record, HttpResponse) for record in scene.records)
    assert "bad_record_mac" in scene.stopped_by


def test_the_impostor_gets_no_request() -> None:
    stage = Stage()
    scene = impersonate(stage)
    verdicts = [record for record in scene.records if isinstance(record, VerdictReached)]
    assert [verdict.padlock for verdict in verdicts] == [False]
    assert not any(isinstance(record, AlertReceived) for record in scene.records)
    said = [record.data for record in scene.records if type(record).__name__ == "DataSent"]
    assert said == []


def test_without_an_attacker_nothing_is_refused() -> None:
    play = perform()
    assert not any(isinstance(record, Refused) for record in play.visit)
    assert any(isinstance(record, HttpRequest) for record in play.visit)
    assert [scene.title for scene in play.scenes] == [
        "an eavesdropper listens",
        "one byte is changed on the way",
        "an impostor answers instead",
    ]


def test_the_impostor_is_refused_for_his_certificate_alone() -> None:
    """The same impostor, trusted by the visitor, would get everything: the certificate is what stops him."""
    stage = Stage()
    with Site(stage.credential, stage.pages) as site:
        _, error = stage.go(site.address)
    assert error is None
    forger = Stage()
    with Site(forger.credential, forger.pages) as impostor:
        _, error = stage.go(impostor.address)
    assert isinstance(error, CertificateRefused)
    assert isinstance(error, TLSError)


def test_listening_costs_the_visitor_nothing() -> None:
    stage = Stage()
    with Site(stage.credential, stage.pages) as site:
        scene = listen(stage, site)
    assert any(isinstance(record, HttpResponse) and record.status == 200 for record in scene.records)

"""Compressed certificates and what could be hidden in them (RFC 8879)."""

from __future__ import annotations

import sys
import tracemalloc
import zlib
from typing import Any

import pytest

from glasslock.errors import ConfigurationError, PeerMisbehaved
from glasslock.registry import AlertDescription, CertificateCompressionAlgorithm, HandshakeType, Side
from glasslock.tls import DangerousAcceptAnyCertificate, Limits, ServerConfig
from glasslock.tls.wire.compression import compress, decompress
from glasslock.tls.wire.messages import CompressedCertificate

from .minted import client_credential, credential
from .pair import Pair, assert_refused, client_config, pair, server_config
from .puppet import change, puppet_client, puppet_server

A, H = AlertDescription, HandshakeType
ALGORITHMS = list(CertificateCompressionAlgorithm)
ZLIB = CertificateCompressionAlgorithm.ZLIB


def sent_kinds(config: Any) -> list[HandshakeType]:
    """Which messages a server sends to a client that can decompress everything."""
    kinds: list[HandshakeType] = []

    def note(kind: HandshakeType, raw: bytes) -> tuple[bytes, ...]:
        kinds.append(kind)
        return (raw,)

    client = client_config(certificate_compression=tuple(ALGORITHMS))
    Pair(pair(client).client, puppet_server(config, note)).done()
    return kinds


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_in_both_directions(algorithm: int) -> None:
    settings = {"certificate_compression": (algorithm,)}
    client = client_config(credentials=(client_credential("mldsa44"),), **settings)
    server = server_config(
        credentials=(credential("mldsa65"),), client_verifier=DangerousAcceptAnyCertificate(), **settings
    )
    connected = pair(client, server).done().talk()
    assert connected.client.agreed.peer_chain == credential("mldsa65").chain
    assert connected.server.agreed.peer_chain == client_credential("mldsa44").chain


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_first_of_ours_that_the_peer_can_read_is_used(algorithm: int) -> None:
    kinds = sent_kinds(server_config(certificate_compression=(algorithm,)))
    assert H.COMPRESSED_CERTIFICATE in kinds
    assert H.CERTIFICATE not in kinds


def test_without_an_algorithm_in_common_nothing_is_compressed() -> None:
    for client, server in (((), (ZLIB,)), ((ZLIB,), ()), ((1,), (2,))):
        connected = pair(client_config(certificate_compression=client), server_config(certificate_compression=server))
        connected.done()
    assert H.CERTIFICATE in sent_kinds(server_config(certificate_compression=()))


def test_what_fits_into_a_packet_stays_as_it_is() -> None:
    """A Certificate of 1,200 bytes or less is sent as it is, a longer one compressed."""
    short, long = credential("p256"), credential("mldsa65")
    above = ServerConfig(credentials=(short,)).compress_certificates_above
    assert len(short.chain[0]) < above < len(long.chain[0])
    kinds = sent_kinds(server_config(credentials=(short,), compress_certificates_above=above))
    assert H.CERTIFICATE in kinds
    kinds = sent_kinds(server_config(credentials=(long,), compress_certificates_above=above))
    assert H.COMPRESSED_CERTIFICATE in kinds


def compressed(edit: Any, **settings: Any) -> tuple[Pair, Pair]:
    """A server, and a client, whose CompressedCertificate is edited."""
    server = puppet_server(server_config(), change(H.COMPRESSED_CERTIFICATE, edit))
    client = puppet_client(client_config(credentials=(client_credential(),)), change(H.COMPRESSED_CERTIFICATE, edit))
    asking = server_config(client_verifier=DangerousAcceptAnyCertificate(), **settings)
    return Pair(pair(client_config(**settings)).client, server), Pair(client, pair(server=asking).server)


def set_body(algorithm: int, plain: bytes) -> Any:
    def edit(message: CompressedCertificate) -> None:
        message.algorithm, message.uncompressed_length = algorithm, len(plain)
        message.compressed = compress(algorithm, plain)

    return edit


@pytest.mark.parametrize(
    ("edit", "alert"),
    [
        (lambda m: setattr(m, "algorithm", 2), A.ILLEGAL_PARAMETER),
        (lambda m: setattr(m, "algorithm", 0xFFFF), A.ILLEGAL_PARAMETER),
        (lambda m: setattr(m, "uncompressed_length", 0), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "uncompressed_length", m.uncompressed_length + 1), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "uncompressed_length", m.uncompressed_length - 1), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "uncompressed_length", (1 << 17) + 1), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "uncompressed_length", 0xFFFFFF), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "compressed", m.compressed[:-1]), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "compressed", m.compressed + b"x"), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "compressed", b"x"), A.BAD_CERTIFICATE),
        (lambda m: setattr(m, "compressed", b""), A.DECODE_ERROR),
        (set_body(ZLIB, b""), A.BAD_CERTIFICATE),
        (set_body(ZLIB, b"\0\0\0\1x"), A.DECODE_ERROR),
        (set_body(ZLIB, b"\0\0\0\0\0"), A.DECODE_ERROR),
    ],
    ids=[
        "not offered",
        "unknown",
        "length 0",
        "longer",
        "shorter",
        "above the limit",
        "16 MiB",
        "cut",
        "trailing",
        "garbage",
        "nothing",
        "empty inside",
        "no certificate inside",
        "trailing inside",
    ],
)
def test_one_corruption_of_a_compressed_certificate(edit: Any, alert: AlertDescription) -> None:
    """Section 4: the algorithm: illegal_parameter; whatever cannot be decompressed: bad_certificate."""
    by_client, by_server = compressed(edit)
    assert_refused(by_client.run(), Side.CLIENT, alert)
    assert_refused(by_server.run(), Side.SERVER, alert)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_bomb_takes_no_memory(algorithm: int) -> None:
    """16 MiB of zeros in a few bytes that claim to be 1,000: they are never unpacked."""
    bomb = compress(algorithm, bytes(1 << 24))
    assert len(bomb) < 1 << 15
    with pytest.raises(PeerMisbehaved):  # libraries are loaded, caches are filled
        decompress(algorithm, bomb, 1000)
    tracemalloc.start()
    with pytest.raises(PeerMisbehaved) as caught:
        decompress(algorithm, bomb, 1000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.alert == A.BAD_CERTIFICATE
    assert peak < 1 << 22


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("length", [1, 2, 1000, 1 << 17])
def test_exactly_the_announced_length(algorithm: int, length: int) -> None:
    data = bytes(number * number % 251 for number in range(length))
    packed = compress(algorithm, data)
    assert decompress(algorithm, packed, length) == data
    for wrong in (length - 1, length + 1):
        with pytest.raises(PeerMisbehaved):
            decompress(algorithm, packed, wrong)
    for broken in (packed[:-1], packed + packed, packed + b"\0", b""):
        with pytest.raises(PeerMisbehaved):
            decompress(algorithm, broken, length)


def test_the_limit_is_that_of_certificates() -> None:
    length = len(zlib.decompress(compressed_size()))
    pair(client_config(limits=Limits(certificate_message=length))).done()
    connected = pair(client_config(limits=Limits(certificate_message=length - 1)))
    assert_refused(connected.run(), Side.CLIENT, A.BAD_CERTIFICATE, "certificate-too-large")


def compressed_size() -> bytes:
    """The compressed body that our server sends."""
    bodies: list[bytes] = []

    def note(kind: HandshakeType, raw: bytes) -> tuple[bytes, ...]:
        if kind is H.COMPRESSED_CERTIFICATE:
            bodies.append(CompressedCertificate.parse(raw).compressed)
        return (raw,)

    Pair(pair().client, puppet_server(server_config(), note)).done()
    return bodies[0]


@pytest.mark.parametrize("data", [b"", b"\0", b"\1\0", b"\2\0", b"\2\0\1\0", b"\3\0\1\0"])
def test_the_form_of_the_offer(data: bytes) -> None:
    """CertificateCompressionAlgorithm algorithms<2..2^8-2>."""

    def edit(hello: Any) -> None:
        hello.extensions[27] = data

    connected = Pair(puppet_client(client_config(), change(H.CLIENT_HELLO, edit)), pair().server)
    assert_refused(connected.run(), Side.SERVER, A.DECODE_ERROR)


@pytest.mark.parametrize("algorithms", [(0,), (4,), (1, 99)])
def test_unknown_algorithms_cannot_be_configured(algorithms: tuple[int, ...]) -> None:
    with pytest.raises(ConfigurationError, match="certificate_compression"):
        client_config(certificate_compression=algorithms)


@pytest.mark.parametrize(("algorithm", "modules"), [(2, ["brotli"]), (3, ["zstandard", "compression.zstd"])])
def test_an_algorithm_whose_library_is_missing_cannot_be_configured(
    algorithm: int, modules: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in modules:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r"glasslock\[compression\]"):
        client_config(certificate_compression=(algorithm,))

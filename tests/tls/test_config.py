"""What cannot be configured is said when the config is made."""

from __future__ import annotations

from typing import Any

import pytest

from glasslock.errors import ConfigurationError
from glasslock.tls import ClientConfig, DangerousAcceptAnyCertificate, ServerConfig, TicketKeys

ANY = DangerousAcceptAnyCertificate()


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"versions": ()}, "versions must not be empty"),
        *[({"versions": (version,)}, "versions") for version in (0x0002, 0x0300, 0x0301, 0x0302)],
        ({"cipher_suites": ()}, "cipher_suites"),
        ({"cipher_suites": (0x0005,)}, "cipher_suites"),  # RC4
        ({"cipher_suites": (0x000A,)}, "cipher_suites"),  # 3DES
        ({"cipher_suites": (0xC013,)}, "cipher_suites"),  # CBC
        ({"cipher_suites": (0x009E,)}, "cipher_suites"),  # finite-field Diffie-Hellman
        ({"cipher_suites": (0x0003,)}, "cipher_suites"),  # export
        ({"groups": ()}, "groups"),
        ({"groups": (0x0100,)}, "groups"),
        ({"groups": (0x1D, 0x17, 0x1D)}, "duplicates"),
        ({"signature_schemes": ()}, "signature_schemes"),
        ({"signature_schemes": (0x0101,)}, "signature_schemes"),
        ({"alpn_protocols": ("",)}, "RFC 7301"),
        ({"alpn_protocols": ("x" * 256,)}, "RFC 7301"),
        ({"record_size_limit": 63}, "RFC 8449"),
        ({"record_size_limit": 16386}, "RFC 8449"),
        ({"psk_modes": (2,)}, "psk_modes"),
    ],
)
def test_what_both_sides_refuse(settings: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigurationError, match=match):
        ClientConfig(verifier=ANY, **settings)
    with pytest.raises(ConfigurationError, match=match):
        ServerConfig(**settings)


def test_key_shares_are_for_groups_that_are_offered() -> None:
    with pytest.raises(ConfigurationError, match="key_shares"):
        ClientConfig(verifier=ANY, groups=(0x1D,), key_shares=(0x17,))


@pytest.mark.parametrize(
    ("groups", "key_shares", "expected"),
    [
        ((0x11EC, 0x1D, 0x17), None, (0x11EC, 0x1D)),
        ((0x1D, 0x17, 0x11EC), None, (0x1D, 0x11EC)),
        ((0x11EC,), None, (0x11EC,)),
        ((0x1D, 0x17, 0x18), (0x18, 0x17), (0x17, 0x18)),
        ((0x1D,), (), ()),
    ],
)
def test_the_first_key_shares(
    groups: tuple[int, ...], key_shares: tuple[int, ...] | None, expected: tuple[int, ...]
) -> None:
    """The first classical and the first post-quantum group, in the order of `groups` (RFC 9846 section 4.3.8)."""
    assert ClientConfig(verifier=ANY, groups=groups, key_shares=key_shares).initial_key_shares == expected


@pytest.mark.parametrize("lifetime", [0, -1, 604801])
def test_the_lifetime_of_tickets(lifetime: int) -> None:
    with pytest.raises(ConfigurationError, match="604800"):
        ServerConfig(ticket_lifetime=lifetime)


def test_a_verifier_has_no_default() -> None:
    with pytest.raises(TypeError, match="verifier"):
        ClientConfig()  # type: ignore[call-arg]


def test_suites_by_version() -> None:
    config = ServerConfig(cipher_suites=(0xC02B, 0x1302, 0x1301))
    assert config.suites(0x0304) == (0x1302, 0x1301)
    assert config.suites(0x0303) == (0xC02B,)


def test_configs_do_not_change_and_do_not_share_ticket_keys() -> None:
    one, two = ServerConfig(), ServerConfig()
    with pytest.raises(AttributeError):
        one.tickets = 2  # type: ignore[misc]
    assert isinstance(one.ticket_keys, TicketKeys)
    assert one.ticket_keys is not two.ticket_keys
    assert two.ticket_keys is not None
    assert two.ticket_keys.open(one.ticket_keys.seal(b"x")) is None


def test_secrets_do_not_show_in_representations() -> None:
    from .minted import credential

    text = repr(ServerConfig(credentials=(credential(),)))
    assert "PrivateKeySigner" not in text
    assert repr(credential().chain[0])[2:40] not in text

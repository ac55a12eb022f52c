"""What a shim does on one connection: the handshake, then echo until the runner has had enough."""

from __future__ import annotations

from collections.abc import Callable

from glasslock.errors import ECHRejected, TLSError
from glasslock.registry import AlertDescription

from .channel import Channel
from .checks import Failed
from .expectations import Expectations
from .flags import Settings
from .story import Story


def exchange(expectations: Expectations, verified: Callable[[], bool], *, retrying: bool) -> None:
    """One connection from the handshake to the end; raises what went wrong."""
    settings, channel, story = expectations.settings, expectations.channel, expectations.story
    try:
        channel.handshake()
    except ECHRejected as error:
        expectations.check_rejection(error)
        raise
    if not channel.in_early_data:
        expectations.check_rejection(None)
    expectations.check_handshake(verified())
    if not retrying and settings.expect_no_offer_early_data and channel.in_early_data:
        raise Failed("0-RTT data was offered")
    if settings.early_write_after_message:
        _wait_for_message(channel, story, settings.early_write_after_message)
    _export(channel, settings, story)
    if settings.send_alert:
        _send_alert(channel)
        return
    _write_first(channel, settings)
    if not settings.shim_shuts_down:
        _echo(channel, settings)
    expectations.check_session()
    _shut_down(channel, settings)
    expectations.check_messages()


def _wait_for_message(channel: Channel, story: Story, kind: int) -> None:
    while story.last_received != kind:
        channel.advance()
    if channel.connection.handshake_done:
        raise Failed("the handshake is done already")


def _export(channel: Channel, settings: Settings, story: Story) -> None:
    """Secrets that the runner compares with its own."""
    if settings.export_keying_material:
        context = settings.export_context.encode("latin-1") if settings.use_export_context else None
        length = settings.export_keying_material
        channel.write(channel.connection.export_keying_material(settings.export_label, length, context))
    if settings.tls_unique:
        channel.write(channel.connection.tls_unique())
    if settings.export_traffic_secrets:
        read, write = story.traffic_secrets(settings.server)
        channel.write(len(read).to_bytes(2, "little") + read + write)


def _send_alert(channel: Channel) -> None:
    channel.connection.abort(
        TLSError(AlertDescription.DECOMPRESSION_FAILURE, "wanted-by-the-test", "the test asks for this alert")
    )
    channel.flush()


def _write_first(channel: Channel, settings: Settings) -> None:
    greeting = settings.shim_initial_write.encode("latin-1")
    if settings.read_with_unfinished_write:
        channel.hold_back(greeting)
    elif settings.shim_writes_first:
        for _ in range(settings.repeat_shim_initial_write):
            channel.write(greeting)


def _echo(channel: Channel, settings: Settings) -> None:
    """Sends back what it reads, every bit turned over."""
    while data := channel.read(settings.read_size):
        channel.release()
        if settings.key_update:
            channel.connection.update_keys()
        channel.write(bytes(byte ^ 0xFF for byte in data))


def _shut_down(channel: Channel, settings: Settings) -> None:
    """BoringSSL's two ways to end: quietly, or with close_notify in both directions."""
    if not settings.check_close_notify:
        return
    channel.shut_down()
    if not channel.wait_for_close():
        raise Failed("Unexpected SSL_shutdown result: -1 != 1" if channel.ended else ":APPLICATION_DATA_ON_SHUTDOWN:")

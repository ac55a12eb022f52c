"""One test: `python -m tests.bogo.shim FLAGS…`, as the runner starts it (see server.py for the fast way)."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TextIO

from glasslock.errors import GlasslockError
from glasslock.tls import ClientConnection, ServerConnection, Session
from glasslock.tls.handshake.agreed import Agreed

from .channel import Channel, EarlyDataRejected, connect
from .checks import Failed
from .configure import Fleet, client_config, server_config
from .credentials import Credentials
from .decisions import Decisions
from .errors import boring_names
from .exchange import exchange
from .expectations import Expectations
from .flags import Settings, Unimplemented, parse
from .story import Story

SUCCESS, FAILURE, UNIMPLEMENTED = 0, 1, 89


@dataclass
class Last:
    """The last connection: some errors are called by how far it got."""

    agreed: Agreed = field(default_factory=Agreed)
    story: Story = field(default_factory=Story)


def main(arguments: Sequence[str], output: TextIO, errors: TextIO) -> int:
    """Runs the test; the result is the exit status."""
    if "-is-handshaker-supported" in arguments:
        output.write("No\n")
        return SUCCESS
    last = Last()
    try:
        run(*parse(arguments), last)
    except Unimplemented as reason:
        errors.write(f"not implemented: {reason}\n")
        return UNIMPLEMENTED
    except (Failed, OSError) as problem:
        errors.write(f"{problem}\n")
        return FAILURE
    except GlasslockError as problem:
        errors.write(f"{boring_names(problem, last.agreed, last.story)}\n{type(problem).__name__}: {problem}\n")
        return FAILURE
    except Exception:  # noqa: BLE001 - a bug of ours: the runner shows it
        traceback.print_exc(file=errors)
        return FAILURE
    return SUCCESS


def run(initial: Settings, resume: Settings, retry: Settings, last: Last) -> None:
    """The first connection and those that resume."""
    fleet = Fleet()
    session = None
    for number in range(initial.resume_count + 1):
        settings = resume if number else initial
        if number and not settings.server and session is None:
            raise Failed("there is no session to offer")
        last.story = Story()
        session = one_connection(settings, retry, fleet, session, last, resuming=number > 0)
        fleet.clock.now += settings.resumption_delay


def one_connection(
    settings: Settings, retry: Settings, fleet: Fleet, session: Session | None, last: Last, *, resuming: bool
) -> Session | None:
    """Returns the session that the connection leaves."""
    story, decisions, credentials = last.story, Decisions(settings), Credentials(settings)
    story.offered_version = session.version if session is not None else 0
    story.on_early_data_refused = lambda: decisions.go_on_with(retry)
    engine = make_engine(settings, fleet, story, credentials, decisions, session)
    last.agreed = engine.agreed
    sock = connect(settings.port, settings.ipv6, settings.shim_id)
    channel = Channel(sock, engine, decisions.answer, bytewise=settings.is_async)

    def verified() -> bool:
        """A resumption that asks nobody goes by the judgement on the first handshake."""
        if decisions.judged is not None:
            fleet.verified = decisions.judged
        return fleet.verified

    try:
        exchange(Expectations(settings, channel, story, credentials, resuming), verified, retrying=False)
        if resuming and not settings.server and settings.expect_reject_early_data:
            raise Failed("early data was not refused")
    except EarlyDataRejected:
        if not settings.expect_reject_early_data:
            raise Failed("early data was refused") from None
        exchange(Expectations(retry, channel, story, credentials, resuming), verified, retrying=True)
    finally:
        channel.hang_up()
    return channel.session


def make_engine(
    settings: Settings,
    fleet: Fleet,
    story: Story,
    credentials: Credentials,
    decisions: Decisions,
    session: Session | None,
) -> ClientConnection | ServerConnection:
    if settings.server:
        return ServerConnection(server_config(settings, fleet, story, credentials, decisions))
    config = client_config(settings, fleet, story, credentials, decisions)
    name = settings.host_name or None
    early, ech = settings.enable_early_data, settings.ech_config_list
    return ClientConnection(config, name, session=session, early_data=early, ech_configs=ech)


if __name__ == "__main__":
    sys.exit(main([os.fsencode(word).decode("latin-1") for word in sys.argv[1:]], sys.stdout, sys.stderr))

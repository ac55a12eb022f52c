"""Clients that pass on what comes on their stdin and print what they receive."""

from __future__ import annotations

import time

from ..order import Order
from ..process import Process

SETTLING = 0.05  # seconds for a peer to take one piece of input before the next follows


def talk_as_client(process: Process, order: Order, between: bytes = b"", sent: bool = False) -> None:
    """The client's part, round by round. `between` is a command to the peer itself; `sent`: the request has gone."""
    expected = 0
    for turn, (request, reply) in enumerate(order.turns):
        if turn:
            process.wait_for_output(expected, "first part of the reply")
            if between:
                process.write(between)
                time.sleep(SETTLING)
        if not sent:
            process.write(request)
        expected += len(reply)
    process.wait_for_output(expected, "whole reply")
    process.close_input()

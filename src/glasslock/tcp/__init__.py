"""Step 1, reach: dial a host, and what the kernel knows of the connection."""

from __future__ import annotations

from .dial import dial, dial_async
from .kernel import observe_accepted, save_syn, saved_syn, tcp_info
from .resolve import ascii_name

__all__ = ["ascii_name", "dial", "dial_async", "observe_accepted", "save_syn", "saved_syn", "tcp_info"]

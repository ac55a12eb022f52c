"""How other code plugs in.

SSLContext, create_default_context   `ssl`'s shapes, for every library that takes a context
install, uninstall                   the same for a whole program, from outside
connect, accept, Stream              a plain blocking connection, in our own words
TraceRecorder                        an observer that remembers
"""

from __future__ import annotations

from .asynchronous import AsyncStream, accept_stream, open_stream
from .blocking import Stream, accept, connect
from .context import SSLContext, create_default_context
from .failures import EngineCertificateError, EngineEOFError, EngineError
from .install import install, uninstall
from .recorder import TraceRecorder

__all__ = [
    "AsyncStream",
    "EngineCertificateError",
    "EngineEOFError",
    "EngineError",
    "SSLContext",
    "Stream",
    "TraceRecorder",
    "accept",
    "accept_stream",
    "connect",
    "create_default_context",
    "install",
    "open_stream",
    "uninstall",
]

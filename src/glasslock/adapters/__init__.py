"""How other code plugs in.

SSLContext, create_default_context   `ssl`'s shapes, for every library that takes a context
install, uninstall                   the same for a whole program, from outside
connect, accept, Stream              a plain blocking connection, in our own words
TraceRecorder                        an observer that remembers
"""

from __future__ import annotations

from .blocking import Stream, accept, connect
from .context import SSLContext, create_default_context
from .failures import EngineCertificateError, EngineEOFError, EngineError
from .install import install, uninstall
from .recorder import TraceRecorder

__all__ = [
    "EngineCertificateError",
    "EngineEOFError",
    "EngineError",
    "SSLContext",
    "Stream",
    "TraceRecorder",
    "accept",
    "connect",
    "create_default_context",
    "install",
    "uninstall",
]

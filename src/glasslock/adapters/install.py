"""Every program's contexts, without touching the program: put our methods into `ssl.SSLContext` itself.

`ssl.SSLContext` is an ordinary Python class, so this reaches also those who imported it long ago by name, and what
they make stays an instance of it. Contexts made before are left on OpenSSL: what they were told (keys, ALPN) is
known to OpenSSL alone. For experiments and for looking on; a program that can choose hands a context in instead.
"""

from __future__ import annotations

import _ssl
import contextlib
import functools
import logging
import ssl
import threading
from collections.abc import Callable
from typing import Any

from ..trace import Observer
from .context import SSLContext
from .settings import ObserverFor, Settings

_C: Any = _ssl._SSLContext  # noqa: SLF001
_METHODS = (
    "load_verify_locations",
    "set_default_verify_paths",
    "_set_alpn_protocols",
    "session_stats",
    "set_ciphers",
    "set_ecdh_curve",
    "_wrap_bio",
    "_wrap_socket",
)
_log = logging.getLogger(__name__)
_lock = threading.Lock()
_replaced: dict[str, Any] = {}  # what `ssl.SSLContext` itself had under these names


def install(
    *, observer: Observer | None = None, observer_for: ObserverFor | None = None, keep_trace: bool = False
) -> None:
    """From now on every new `ssl.SSLContext` speaks with glasslock's engine; the arguments are as in `SSLContext`.

    Does nothing if it was done already. Affects the whole process.
    """
    with _lock:
        if _replaced:
            return
        make = functools.partial(Settings, observer=observer, observer_for=observer_for, keep_trace=keep_trace)
        _replace("__new__", _new(make))
        _replace("load_cert_chain", _load_cert_chain)
        for name in _METHODS:
            _replace(name, _ours_or_openssl(name))


def uninstall() -> None:
    """Takes our methods out again: contexts go back to OpenSSL, connections that exist stay as they are."""
    with _lock:
        for name, method in _replaced.items():
            if method is None:
                delattr(ssl.SSLContext, name)
            else:
                setattr(ssl.SSLContext, name, method)
        _replaced.clear()


def _replace(name: str, method: Any) -> None:
    _replaced[name] = ssl.SSLContext.__dict__.get(name)
    setattr(ssl.SSLContext, name, method)


def _new(make: Callable[[], Settings]) -> Any:
    original = ssl.SSLContext.__new__

    def new(cls: type[ssl.SSLContext], *args: Any, **kwargs: Any) -> ssl.SSLContext:
        context = original(cls, *args, **kwargs)
        context.glasslock = make()  # type: ignore[attr-defined]
        return context

    return staticmethod(new)


def _ours_or_openssl(name: str) -> Any:
    ours, openssl = SSLContext.__dict__[name], getattr(_C, name)

    @functools.wraps(ours)
    def method(self: ssl.SSLContext, *args: Any, **kwargs: Any) -> Any:
        if hasattr(self, "glasslock"):
            return ours(self, *args, **kwargs)
        if name.startswith("_wrap"):
            _log.info("this SSLContext was made before glasslock was installed: its connections stay on OpenSSL")
        return openssl(self, *args, **kwargs)

    return method


def _load_cert_chain(self: ssl.SSLContext, certfile: Any, keyfile: Any = None, password: Any = None) -> None:
    """Both get to know it, so that the context works on after `uninstall`; a password is asked for once."""
    if callable(password):
        password = functools.cache(password)
    if not hasattr(self, "glasslock"):
        _C.load_cert_chain(self, certfile, keyfile, password)
        return
    SSLContext.load_cert_chain(self, certfile, keyfile, password)  # type: ignore[arg-type]
    with contextlib.suppress(ssl.SSLError):  # OpenSSL may not know the kind of key
        _C.load_cert_chain(self, certfile, keyfile, password)

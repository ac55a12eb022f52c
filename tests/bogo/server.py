"""A server that forks a shim for each test, with everything imported once (`python -m tests.bogo.server`).

`launch.sh` speaks to it: the number of arguments and the arguments, each ended by a zero byte; back come exit status,
output and errors in the same way. The port is the one line that it prints.
"""

from __future__ import annotations

import io
import os
import signal
import socket
import sys

from . import shim

_TIME_LIMIT = 120  # seconds that one test may take, whatever happens


def serve() -> None:
    """Until it is told to stop."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        print(listener.getsockname()[1], flush=True)  # noqa: T201
        while True:
            request, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                signal.alarm(_TIME_LIMIT)
                status = _serve_one(request)
                os._exit(status)
            request.close()


def _serve_one(request: socket.socket) -> int:
    with request:
        arguments = _read_arguments(request)
        output, errors = io.StringIO(), io.StringIO()
        status = shim.main(arguments, output, errors)
        answer = [str(status), output.getvalue(), errors.getvalue()]
        request.sendall(b"".join(text.encode("latin-1", "backslashreplace") + b"\0" for text in answer))
    return status


def _read_arguments(request: socket.socket) -> list[str]:
    received = b""
    while True:
        count, _, rest = received.partition(b"\0")
        words = rest.split(b"\0")
        if count and len(words) > int(count):
            return [word.decode("latin-1") for word in words[: int(count)]]
        more = request.recv(1 << 16)
        if not more:
            sys.exit("the launcher hung up")
        received += more


if __name__ == "__main__":
    serve()

"""How a sample's process says what it found, or why it found nothing."""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from .identity import Identity
from .peers import CannotDo

CANNOT = 3  # exit status: this is not to be had here, for the reason on stderr

Measure = Callable[[str, str, str, Identity], dict[str, float]]


def answer(measure: Measure) -> int:
    """Runs `measure(peer, role, work, identity)` with the process's arguments, and prints its result as JSON."""
    peer, role, work, folder = sys.argv[1:]
    try:
        result = measure(peer, role, work, Identity(Path(folder)))
    except ImportError as problem:
        print(f"not installed: {problem}", file=sys.stderr)
        return CANNOT
    except CannotDo as problem:
        print(problem, file=sys.stderr)
        return CANNOT
    print(json.dumps(result))
    return 0


def in_child(work: Callable[[], object]) -> int:
    """Runs it in a child process that ends afterwards, whatever happens; returns the child's id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 (nothing may go on into what the parent does)
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def said_by(child: int, reader: int) -> float:
    """The number that the child wrote into the pipe before its end."""
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"the other process of the sample failed ({status}); what it says is above")
    found: float = json.loads(text)
    return found

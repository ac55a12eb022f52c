"""How much a command tells: -q one line, nothing one screen, -v everything."""

from __future__ import annotations

from ..errors import ConfigurationError
from ..views.terminal import Depth


def depth_of(quiet: bool, verbose: bool) -> Depth:
    if quiet and verbose:
        raise ConfigurationError("-q and -v contradict each other: give one of them, or none for one screen")
    return Depth.QUIET if quiet else Depth.VERBOSE if verbose else Depth.DEFAULT

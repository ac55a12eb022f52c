"""From what a person types to an ASGI application: a folder, or `module:app`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, cast

from hypercorn.middleware import AsyncioWSGIMiddleware
from hypercorn.utils import is_asgi

from ..errors import ConfigurationError
from .folder import folder_app
from .telling import App


def load_app(what: str | Path | Any, *, directory: str | Path = ".") -> App:
    """A folder's path, `module:app` (found from `directory`), or an application itself: ASGI or WSGI.

    `app` may be left out, and may be dotted. ConfigurationError if there is no such thing; what the module itself
    raises when it is imported passes.
    """
    if isinstance(what, Path):
        return folder_app(what)
    if isinstance(what, str):
        if Path(what).is_dir():
            return folder_app(what)
        what = _imported(what, Path(directory))
    if not callable(what):
        raise ConfigurationError(f"{what!r} is no ASGI or WSGI application: it cannot be called")
    if is_asgi(what):
        return cast(App, what)
    return cast(App, AsyncioWSGIMiddleware(cast(Any, what)))


def _imported(text: str, directory: Path) -> Any:
    module_name, _, attribute = text.partition(":")
    if not all(part.isidentifier() for part in module_name.split(".")):
        raise ConfigurationError(f"there is no folder {text}, and it is no `module:app` either")
    sys.path.insert(0, str(directory.resolve()))
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as problem:
        if problem.name is None or not f"{module_name}.".startswith(f"{problem.name}."):
            raise
        raise ConfigurationError(
            f"there is no folder {text}, and no Python module {module_name} in {directory.resolve()}"
        ) from problem
    finally:
        sys.path.pop(0)
    found: Any = module
    for name in (attribute or "app").split("."):
        found = getattr(found, name, None)
        if found is None:
            raise ConfigurationError(f"the module {module_name} has no {name!r}: say {module_name}:NAME")
    return found

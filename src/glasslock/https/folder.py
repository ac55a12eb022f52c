"""A folder as a site: starlette's StaticFiles, with a list where a folder has no index.html.

StaticFiles never leaves the folder, not by `..` nor by a symbolic link. What begins with a dot is not served and
not listed (.git, .env, .ssh…), but for `.well-known` (RFC 8615).
"""

from __future__ import annotations

import html
import os
import stat
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio.to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from .telling import App

MAX_LISTED = 10_000  # entries of one folder

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 50rem; padding: 0 1rem;
       color-scheme: light dark }}
table {{ border-collapse: collapse; width: 100% }}
td, th {{ padding: .2rem .8rem .2rem 0; text-align: left }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }}
a {{ text-decoration: none }}
</style>
</head>
<body>
<h1>{title}</h1>
<table>
<thead><tr><th scope="col">Name</th><th scope="col" class="number">Bytes</th>
<th scope="col" class="number">Changed (UTC)</th></tr></thead>
<tbody>
{rows}
</tbody>
</table>
</body>
</html>
"""
_ROW = '<tr><td><a href="{link}">{name}</a></td><td class="number">{size}</td><td class="number">{changed}</td></tr>'
# The page needs nothing but its own style: what a file's name smuggles in finds nothing to work with.
_HEADERS = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'"}


def folder_app(directory: str | Path) -> App:
    """An ASGI application that serves a folder. ConfigurationError if there is no such folder."""
    place = Path(directory)
    if not place.is_dir():
        raise ConfigurationError(f"there is no folder {place} to serve")
    return Starlette(routes=[Mount("/", app=Folder(directory=place, html=True))])


class Folder(StaticFiles):
    """StaticFiles that lists folders and passes over what is hidden."""

    async def get_response(self, path: str, scope: Any) -> Response:
        if any(_is_hidden(part) for part in PurePath(path).parts):
            raise HTTPException(status_code=404)
        try:
            return await super().get_response(path, scope)
        except HTTPException as refusal:
            folder = await anyio.to_thread.run_sync(self._folder, path) if refusal.status_code == 404 else None
            if folder is None:
                raise
        if not scope["path"].endswith("/"):
            return RedirectResponse(url=f"{quote(scope['path'].rsplit('/', 1)[-1])}/")
        page = await anyio.to_thread.run_sync(_list, folder, scope["path"])
        return HTMLResponse(page, headers=_HEADERS)

    def _folder(self, path: str) -> Path | None:
        """The folder behind a path, if it is one that may be listed."""
        try:
            full_path, status = self.lookup_path(path)
        except (OSError, ValueError):
            return None  # no name that a file could have
        return Path(full_path) if status is not None and stat.S_ISDIR(status.st_mode) else None


@dataclass(frozen=True, order=True)
class _Entry:
    is_file: bool  # folders first
    name: str
    size: int
    changed: datetime


def _is_hidden(name: str) -> bool:
    return name.startswith(".") and name not in (".", ".well-known")


def _list(directory: Path, path: str) -> str:
    rows = [_ROW.format(link="../", name="../", size="", changed="")] if path.strip("/") else []
    for entry in sorted(_entries(directory)):
        slash = "" if entry.is_file else "/"
        rows.append(
            _ROW.format(
                link=html.escape(f"./{quote(entry.name)}{slash}"),
                name=html.escape(f"{entry.name}{slash}"),
                size=f"{entry.size:,}" if entry.is_file else "",
                changed=f"{entry.changed:%Y-%m-%d %H:%M}",
            )
        )
    return _PAGE.format(title=html.escape(path), rows="\n".join(rows))


def _entries(directory: Path) -> list[_Entry]:
    found: list[_Entry] = []
    with os.scandir(directory) as entries:
        for entry in entries:
            if _is_hidden(entry.name) or len(found) >= MAX_LISTED:
                continue
            try:
                status = entry.stat()
                found.append(
                    _Entry(
                        entry.is_file(),
                        _printable(entry.name),
                        status.st_size,
                        datetime.fromtimestamp(status.st_mtime, UTC),
                    )
                )
            except OSError:
                continue  # a link to nowhere, or gone since
    return found


def _printable(name: str) -> str:
    """File names may hold bytes that are no text."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

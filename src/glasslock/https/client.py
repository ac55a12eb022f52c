"""Visit a URL: everything from its name to the last byte, told as it happens."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from ..errors import ConfigurationError, HttpFailed
from ..registry import Side
from ..tls import ClientConfig
from ..trace import BodyReceived, Observer
from ..trust import ServerCertificateVerifier, TrustStore
from .content import accepted, decoded
from .dialing import Route
from .saving import whole_file
from .transport import Transport

MAX_IN_MEMORY = 64 << 20  # bytes of content that are kept when it goes to no file

# Called with bytes received so far and how many there will be, before decoding; None if the server does not say.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitResult:
    """What came of a visit. `url` is where the redirects led, `redirects` the URLs on the way there.

    `content` is decoded; empty if it was saved to `saved_to`. `length` and `wire_length` count bytes after and
    before decoding. `seconds` is the whole visit.
    """

    url: str
    http_version: str
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    redirects: tuple[str, ...] = ()
    content: bytes = field(default=b"", repr=False)
    saved_to: Path | None = None
    length: int = 0
    wire_length: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """The content as text, in the charset that the server names, else UTF-8."""
        charset = httpx.Response(self.status, headers=list(self.headers)).charset_encoding or "utf-8"
        try:
            return self.content.decode(charset, "replace")
        except LookupError:
            return self.content.decode("utf-8", "replace")


def visit(
    url: str,
    *,
    config: ClientConfig | None = None,
    trust_store: TrustStore | None = None,
    observer: Observer | None = None,
    output: str | Path | None = None,
    progress: Progress | None = None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    timeout: float = 30.0,
    route: Route | None = None,
    max_redirects: int = 10,
    max_length: int | None = None,
    http2: bool = True,
) -> VisitResult:
    """Fetches a URL over HTTPS, following redirects (never away from HTTPS).

    `config` says how TLS is done; without one, `trust_store` (else the operating system's) decides about
    certificates. A successful response's content goes to the file `output`, whole or not at all, in constant
    memory; otherwise it is returned, and may have 64 MiB. `max_length` limits the decoded content in bytes.
    `timeout`, in seconds, is for each wait on the server. `max_redirects` 0 follows none. `route` says where to
    dial, and with which ECH configs, if that is not the URL's business.

    Raises ConnectFailed, TLSError (CertificateRefused with its verdict), HttpFailed, and ConfigurationError for
    what cannot be asked for. Whatever happens, `observer` has been told all that happened until then.
    """
    began = time.monotonic()
    if config is None:
        config = ClientConfig(verifier=ServerCertificateVerifier(trust_store or TrustStore.system()))
    if observer is not None:
        config = config.observed_by(observer)
    target = parse_url(url)
    asked = {"accept": "*/*", "accept-encoding": accepted(), "user-agent": "glasslock"} | dict(headers or {})
    with httpx.Client(
        transport=Transport(config, http2=http2, route=route),
        trust_env=False,
        timeout=timeout,
        follow_redirects=max_redirects > 0,
        max_redirects=max_redirects,
    ) as client:
        try:
            with client.stream(method, target, headers=asked, content=body) as response:
                result = _receive(response, config, output, progress, max_length)
        except httpx.TooManyRedirects as problem:
            raise HttpFailed("too-many-redirects", f"more than {max_redirects} redirects: is it a loop?") from problem
        except (httpx.RequestError, httpx.InvalidURL) as problem:
            raise HttpFailed("bad-redirect", f"the server redirects to what is no URL: {problem}") from problem
    return dataclasses.replace(result, seconds=time.monotonic() - began)


def parse_url(url: str) -> httpx.URL:
    """What a person types, as an https:// URL. ConfigurationError if it is none."""
    text = url.strip()
    if "://" not in text:
        text = f"https://{text}"
    try:
        parsed = httpx.URL(text)
        named = bool(parsed.host)
    except (httpx.InvalidURL, UnicodeError, ValueError) as problem:
        raise ConfigurationError(f"{url!r} is not a URL: {problem}") from problem
    if parsed.scheme != "https":
        raise ConfigurationError(f"{parsed.scheme}:// is not encrypted; try https://{text.partition('://')[2]}")
    if not named:
        raise ConfigurationError(f"{url!r} names no host: a URL looks like https://example.org/path")
    return parsed


def _receive(
    response: httpx.Response,
    config: ClientConfig,
    output: str | Path | None,
    progress: Progress | None,
    max_length: int | None,
) -> VisitResult:
    began = time.monotonic()
    wire = _Counter(response, progress)
    content = decoded(iter(wire), response.headers.get("content-encoding", ""))
    path = Path(output) if output is not None and response.is_success else None
    if path is not None:
        kept = b""
        with whole_file(path) as file:
            length = 0
            for piece in _limited(content, max_length):
                length += len(piece)
                file.write(piece)
    else:
        kept = b"".join(_limited(content, MAX_IN_MEMORY if max_length is None else max_length))
        length = len(kept)
    if config.observer is not None:
        config.observer(
            BodyReceived(
                time=config.clock(),
                side=Side.CLIENT,
                length=length,
                wire_length=wire.count,
                seconds=time.monotonic() - began,
            )
        )
    return VisitResult(
        url=str(response.url),
        http_version=response.http_version.removeprefix("HTTP/"),
        status=response.status_code,
        reason=response.reason_phrase,
        headers=tuple(response.headers.multi_items()),
        redirects=tuple(str(earlier.url) for earlier in response.history),
        content=kept,
        saved_to=path,
        length=length,
        wire_length=wire.count,
    )


class _Counter:
    """The content as it comes off the wire, counted."""

    def __init__(self, response: httpx.Response, progress: Progress | None) -> None:
        self._response = response
        self._progress = progress
        self.count = 0

    def __iter__(self) -> Iterator[bytes]:
        announced = self._response.headers.get("content-length", "")
        total = int(announced) if announced.isascii() and announced.isdigit() else None
        for piece in self._response.iter_raw():
            self.count += len(piece)
            yield piece
            if self._progress is not None:
                self._progress(self.count, total)


def _limited(pieces: Iterator[bytes], limit: int | None) -> Iterator[bytes]:
    length = 0
    for piece in pieces:
        length += len(piece)
        if limit is not None and length > limit:
            raise HttpFailed("too-large", f"the content has more than {limit} bytes: save it to a file, or allow more")
        yield piece

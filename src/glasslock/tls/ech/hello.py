"""The two hellos on the wire: how the inner one is put into the outer one, and how it is got out again.

    ClientHelloOuter                          what everybody sees
      server_name: the public name
      encrypted_client_hello:
        type 0, suite, config_id, enc,
        payload = HPKE(EncodedClientHelloInner)     associated data: the outer hello, payload as zeros
                     ClientHelloInner without its session id,
                       what the outer hello has as well only referenced (ech_outer_extensions)
                       encrypted_client_hello: type 1
                     zeros, so that its length says nothing

RFC 9849 section 5.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from ...registry import TLS_1_3, ECHClientHelloType, ExtensionType, members, name_of
from ..handshake.context import illegal
from ..wire import extensions as ext
from ..wire.codec import Reader, u8, u16, u16_list, vector8, vector16
from ..wire.messages import ClientHello, Extensions
from .hpke import Context, Suite

_E = members(ExtensionType)
_RULE = "RFC 9849 section 5.1"

INNER = u8(ECHClientHelloType.INNER)  # the whole extension in an inner hello

# Length of a server_name extension around the name itself (RFC 9849 section 6.1.3).
_SERVER_NAME_OVERHEAD = 9


# --- the extension --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SealedHello:
    """encrypted_client_hello in an outer hello. `enc` is empty after a HelloRetryRequest.

    struct {
        ECHClientHelloType type = outer;
        HpkeSymmetricCipherSuite cipher_suite;
        uint8 config_id;
        opaque enc<0..2^16-1>;
        opaque payload<1..2^16-1>;
    } ECHClientHello;
    """

    suite: Suite
    config_id: int
    enc: bytes
    payload: bytes

    def encode(self) -> bytes:
        kind = u8(ECHClientHelloType.OUTER)
        suite = u16(self.suite.kdf_id) + u16(self.suite.aead_id)
        return kind + suite + u8(self.config_id) + vector16(self.enc) + vector16(self.payload)

    @classmethod
    def parse(cls, data: bytes) -> SealedHello:
        """illegal_parameter for the inner type: it never travels alone (RFC 9849 section 7)."""
        if read_type(data) is not ECHClientHelloType.OUTER:
            raise illegal("bare-inner-hello", "an inner ClientHello came without its outer one", "RFC 9849 section 7")
        reader = Reader(data, "encrypted_client_hello", 1)
        suite = Suite(reader.u16(), reader.u16())
        config_id, enc, payload = reader.u8(), reader.vector16(), reader.vector16(1)
        reader.finish()
        return cls(suite, config_id, enc, payload)


def read_type(data: bytes) -> ECHClientHelloType:
    """Which of the two hellos this extension is from; the form of the outer type is not looked at."""
    reader = Reader(data, "encrypted_client_hello")
    kind = reader.u8()
    if kind == ECHClientHelloType.INNER:
        reader.finish()
    elif kind != ECHClientHelloType.OUTER:
        raise illegal("ech-type", f"encrypted_client_hello has the unknown type {kind}", "RFC 9849 section 7")
    return ECHClientHelloType(kind)


def outer_aad(outer: ClientHello, sealed: SealedHello) -> bytes:
    """What the encryption also binds: the outer hello, with zeros for the payload (RFC 9849 section 5.2)."""
    blank = replace(sealed, payload=bytes(len(sealed.payload)))
    return replace(outer, extensions={**outer.extensions, _E.ENCRYPTED_CLIENT_HELLO: blank.encode()}).body()


@dataclass(slots=True)
class OpenedHello:
    """What a server keeps of an outer hello that it opened: a second one has to go with it."""

    context: Context
    suite: Suite
    config_id: int


# --- EncodedClientHelloInner ----------------------------------------------------------------------


def encode_inner(inner: ClientHello, shared: Container[int], maximum_name_length: int) -> bytes:
    """The inner hello as it is encrypted. The `shared` extensions stand together and are as in the outer hello."""
    extensions: Extensions = {}
    references = b"".join([u16(kind) for kind in inner.extensions if kind in shared])
    for kind, data in inner.extensions.items():
        if kind in shared:
            extensions[_E.ECH_OUTER_EXTENSIONS] = vector8(references)
        else:
            extensions[kind] = data
    encoded = replace(inner, session_id=b"", extensions=extensions).body()
    return encoded + bytes(_padding(inner, len(encoded), maximum_name_length))


def _padding(inner: ClientHello, length: int, maximum_name_length: int) -> int:
    """As if the name were as long as the longest one; then up to a multiple of 32 (RFC 9849 section 6.1.3)."""
    name = inner.extensions.get(_E.SERVER_NAME)
    if name is None:
        padding = maximum_name_length + _SERVER_NAME_OVERHEAD
    else:
        padding = max(0, maximum_name_length - len(ext.read_server_name(name) or ""))
    return padding + -(length + padding) % 32


def decode_inner(encoded: bytes, outer: ClientHello) -> ClientHello:
    """The inner hello as the client meant it; illegal_parameter for bad padding or references (section 5.1)."""
    reader = Reader(encoded, "EncodedClientHelloInner")
    inner = ClientHello.read(reader)
    if any(reader.rest()):
        raise illegal("ech-padding", "the padding of the inner ClientHello is not all zeros", _RULE)
    inner.session_id = outer.session_id
    references = inner.extensions.get(_E.ECH_OUTER_EXTENSIONS)
    if references is not None:
        inner.extensions = _expand(inner.extensions, _read_references(references), outer.extensions)
    _check_inner(inner)
    return inner


def _read_references(data: bytes) -> tuple[int, ...]:
    reader = Reader(data, "ech_outer_extensions")
    references = u16_list(reader.vector8(2, 254), "ech_outer_extensions")
    reader.finish()
    if _E.ENCRYPTED_CLIENT_HELLO in references or _E.ECH_OUTER_EXTENSIONS in references:
        raise illegal("ech-outer-extensions", "the inner ClientHello refers to its own envelope", _RULE)
    return references


def _expand(inner: Extensions, references: tuple[int, ...], outer: Extensions) -> Extensions:
    """What is referenced, copied in its place: one pass over the outer hello, so that nothing is copied twice."""
    found: Extensions = {}
    remaining = iter(outer.items())
    for kind, data in inner.items():
        if kind == _E.ECH_OUTER_EXTENSIONS:
            items = [_next(remaining, reference) for reference in references]
        else:
            items = [(kind, data)]
        for name, value in items:
            if name in found:
                raise illegal("duplicate-extension", "the inner ClientHello has an extension twice", _RULE)
            found[name] = value
    return found


def _next(remaining: Iterator[tuple[int, bytes]], reference: int) -> tuple[int, bytes]:
    for kind, data in remaining:
        if kind == reference:
            return kind, data
    raise illegal(
        "ech-outer-extensions",
        f"the outer ClientHello has no extension {name_of(ExtensionType, reference)} where the inner one refers to it",
        _RULE,
    )


def _check_inner(inner: ClientHello) -> None:
    """It says that it is an inner one, and offers nothing older than TLS 1.3 (RFC 9849 section 7.1)."""
    if inner.extensions.get(_E.ENCRYPTED_CLIENT_HELLO) != INNER:
        raise illegal(
            "invalid-inner-hello", "the inner ClientHello does not say that it is one", "RFC 9849 section 7.1"
        )
    versions = inner.extensions.get(_E.SUPPORTED_VERSIONS)
    if versions is None or min(ext.read_client_versions(versions)) < TLS_1_3:
        raise illegal(
            "invalid-inner-hello",
            "the inner ClientHello offers a version without Encrypted ClientHello",
            "RFC 9849 section 7.1",
        )

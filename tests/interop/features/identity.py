"""How the sides prove who they are: client certificates, late ones, pre-shared keys, stapled status."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from glasslock.registry import HandshakeType, Side
from glasslock.tls import ExternalPsk

from ..credentials import Authority
from ..ends import End
from ..order import Order
from ..peer import Abilities
from ..verifiers import Pinned
from .base import END_OF_REQUEST, Feature, RightReply, expect


class ClientCertificate(Feature):
    """The server insists on a certificate of the client's, and checks it."""

    name = "client-certificate"
    title = "client certificate"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["client_identity"] = authority.client

    def server_options(self, order: Order) -> dict[str, Any]:
        expect(order.client_identity, "there is a client identity")
        der = order.client_identity.der if order.client_identity else b""
        return {"client_verifier": Pinned(der), "require_client_certificate": True}

    def client_options(self, order: Order) -> dict[str, Any]:
        return {"credentials": (order.client_identity.credential,) if order.client_identity else ()}

    def check_server(self, ends: Sequence[End], order: Order) -> None:
        chain = ends[0].connection.agreed.peer_chain
        expect(order.client_identity and chain[:1] == (order.client_identity.der,), "the client showed its certificate")

    def check_client(self, ends: Sequence[End], order: Order) -> None:
        chain = ends[0].connection.agreed.own_chain
        expect(order.client_identity and chain[:1] == (order.client_identity.der,), "we showed our certificate")


class LateClientCertificate(ClientCertificate):
    """The server asks for the client's certificate after the handshake, once it has the request."""

    name = "post-handshake-auth"
    title = "post-handshake authentication"
    tls12 = False

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        super().order(order, authority, role, abilities)
        order["post_handshake_auth"] = True

    def server_options(self, order: Order) -> dict[str, Any]:
        options = super().server_options(order)
        return options | {"require_client_certificate": False, "ask_in_handshake": False}

    def client_options(self, order: Order) -> dict[str, Any]:
        return super().client_options(order) | {"post_handshake_auth": True}

    def answer(self, end: End, order: Order) -> None:
        end.handshake()
        end.pump_until(lambda: end.data.endswith(END_OF_REQUEST))
        expect(not end.connection.agreed.peer_chain, "the client has shown no certificate yet")
        end.request_client_certificate()
        end.pump_until(lambda: end.client_authenticated)
        end.send(order.reply)
        end.finish(order.client_ends_first)

    def visit(self, end: End, order: Order, right: RightReply) -> None:
        end.handshake()
        expect(not end.count_sent(HandshakeType.CERTIFICATE), "we have shown no certificate yet")
        super().visit(end, order, right)

    def check_client(self, ends: Sequence[End], order: Order) -> None:
        expect(ends[0].count_sent(HandshakeType.CERTIFICATE) == 1, "we showed our certificate when asked")


class PreSharedKey(Feature):
    """A key from outside of TLS in the place of certificates."""

    name = "external-psk"
    title = "external PSK"
    tls12 = False

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["psk"] = ExternalPsk(identity=b"interop", key=secrets.token_bytes(32))

    def server_options(self, order: Order) -> dict[str, Any]:
        return {"external_psks": (order.psk,)}

    client_options = server_options

    def check(self, ends: Sequence[End], order: Order) -> None:
        agreed = ends[0].connection.agreed
        expect(agreed.external_psk == b"interop", "the pre-shared key is agreed")
        expect(not agreed.peer_chain and not agreed.own_chain, "nobody shows a certificate")


class Stapling(Feature):
    """The server's certificate comes with an OCSP response, which the client shows or checks."""

    name = "ocsp"
    title = "OCSP stapling"

    def order(self, order: dict[str, Any], authority: Authority, role: Side, abilities: Abilities) -> None:
        order["ocsp_response"] = authority.ocsp_response(order["identity"], order["folder"])

    def server_options(self, order: Order) -> dict[str, Any]:
        response = order.ocsp_response.read_bytes() if order.ocsp_response else None
        return {"credentials": (order.identity.credential_with_root(response),)}

    def check_client(self, ends: Sequence[End], order: Order) -> None:
        response = order.ocsp_response.read_bytes() if order.ocsp_response else None
        expect(ends[0].connection.agreed.peer_ocsp_response == response, "we received the OCSP response")

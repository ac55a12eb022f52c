"""Peers that are libraries: small programs of ours in their languages, which take orders on stdin.

An order is one line of fields, `name=value`, between tabs; so is each answer. Every order has an `id`, which its
answers repeat, and a program works on several orders at once. A server answers twice: first with its `port`,
later, as a client does, with `ok` and what it has seen, or with `error`.
"""

from __future__ import annotations

import itertools
import os
import queue
import subprocess
import threading
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from glasslock.registry import CipherSuite

from ..names import OPENSSL_GROUPS, OPENSSL_SUITES, SUITES_OF_OPENSSL, group_name
from ..order import PATIENCE, Order, Report
from ..peer import Peer, Server
from ..process import PeerFailed

PROGRAMS = Path(__file__).parent.parent / "programs"
STARTING = 120.0  # seconds for a compiler to build a program, the first time on a machine
Answer = Mapping[str, str]


class Program:
    """A running program: hands out orders, brings each answer to whoever asked."""

    def __init__(self, command: list[str], env: Mapping[str, str]) -> None:
        self._errors: list[str] = []
        self._queues: dict[str, queue.Queue[Answer]] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._popen = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            env={**os.environ, **env},
        )
        self._threads = [
            threading.Thread(target=self._read_answers, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def order(self, fields: Mapping[str, str]) -> queue.Queue[Answer]:
        """Gives an order; its answers come in the queue."""
        if self._popen.stdin is None:
            raise PeerFailed("the program has no stdin")
        with self._lock:
            number = str(next(self._numbers))
            answers = self._queues[number] = queue.Queue()
            line = "\t".join(f"{name}={value}" for name, value in (("id", number), *fields.items()))
            try:
                self._popen.stdin.write(line + "\n")
                self._popen.stdin.flush()
            except OSError as problem:
                raise PeerFailed(f"the program has ended: {self.last_words()}") from problem
        return answers

    def last_words(self) -> str:
        return " | ".join(self._errors[-8:])

    def close(self) -> None:
        """Ends the program: it stops at the end of its input."""
        if self._popen.stdin is not None:
            self._popen.stdin.close()
        try:
            self._popen.wait(3)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)
        for stream in (self._popen.stdout, self._popen.stderr):
            if stream is not None:
                stream.close()

    def _read_answers(self) -> None:
        for line in self._popen.stdout or ():
            answer = dict(field.split("=", 1) for field in line.rstrip("\n").split("\t") if "=" in field)
            with self._lock:
                waiting = self._queues.get(answer.get("id", ""))
            if waiting is None:
                self._errors.append(line.rstrip("\n"))
            else:
                waiting.put(answer)

    def _read_errors(self) -> None:
        for line in self._popen.stderr or ():
            self._errors.append(line.rstrip("\n")[:300])


class ProgramPeer(Peer):
    """A peer whose two roles one of our programs plays. It is started at the first order."""

    def __init__(self) -> None:
        self._program: Program | None = None
        self._lock = threading.Lock()

    @abstractmethod
    def command(self) -> tuple[list[str], dict[str, str]]:
        """How the program is started: command and environment."""

    def _running(self) -> Program:
        with self._lock:
            if self._program is None:
                self._program = Program(*self.command())
            return self._program

    def close(self) -> None:
        if self._program is not None:
            self._program.close()
            self._program = None

    def connect(self, order: Order) -> Report:
        received = order.folder / "received"
        fields = self._fields(order, received) | {
            "role": "client",
            "port": str(order.port),
            "send": str(order.request_file),
            "sizes": ",".join(str(len(reply)) for _, reply in order.turns),
            "chunks": ",".join(str(len(request)) for request, _ in order.turns),
        }
        if order.client_identity:
            fields |= {
                "cert": str(order.client_identity.certificate_file),
                "key": str(order.client_identity.key_file),
                "p12": str(order.client_identity.folder / f"{order.client_identity.name}.p12"),
            }
        program = self._running()
        return self.report(order, program, program.order(fields), received)

    @contextmanager
    def serve(self, order: Order) -> Iterator[Server]:
        received = order.folder / "received"
        fields = self._fields(order, received) | {
            "role": "server",
            "cert": str(order.identity.certificate_file),
            "key": str(order.identity.key_file),
            "p12": str(order.identity.folder / f"{order.identity.name}.p12"),
            "send": str(order.reply_file),
            "sizes": ",".join(str(len(request)) for request, _ in order.turns),
            "chunks": ",".join(str(len(reply)) for _, reply in order.turns),
        }
        if order.other_identity:
            fields |= {
                "other_cert": str(order.other_identity.certificate_file),
                "other_key": str(order.other_identity.key_file),
                "other_p12": str(order.other_identity.folder / f"{order.other_identity.name}.p12"),
                "other_name": order.server_name,
            }
        if order.client_identity:
            fields["want_client"] = "later" if order.post_handshake_auth else "now"
        program = self._running()
        yield _ProgramServer(self, order, program, program.order(fields), received)

    def _fields(self, order: Order, received: Path) -> dict[str, str]:
        return {
            "version": "1.3" if order.tls13 else "1.2",
            "suite": order.suites[0].name,
            "openssl_suite": OPENSSL_SUITES[order.suites[0]],
            "groups": ",".join(group.name.lower() for group in order.groups),
            "openssl_groups": ":".join(OPENSSL_GROUPS[group] for group in order.groups),
            "ca": str(order.root),
            "name": order.server_name,
            "alpn": ",".join(order.alpn),
            "connections": str(order.connections),
            "ocsp": str(order.ocsp_response or ""),
            "late": "1" if order.post_handshake_auth else "",
            "received": str(received),
        }

    def report(self, order: Order, program: Program, answers: queue.Queue[Answer], received: Path) -> Report:
        answer = self.next_answer(program, answers, STARTING)
        facts = {name: value for name, value in answer.items() if name not in {"id", "ok"}}
        if "suite" in facts:
            names = facts["suite"].split(",")
            facts["suite"] = ",".join(
                name if name in CipherSuite.__members__ else SUITES_OF_OPENSSL[name].name for name in names
            )
        group = facts.pop("group", "")
        if order.connections > 1:
            facts.pop("server_name", None)  # OpenSSL does not keep it in a resumed TLS 1.2 session
        if group and order.tls13:  # in TLS 1.2 neither a resumption nor RSA key transport has one
            facts["group"] = ",".join(group_name(name) for name in group.split(","))
        return Report(received=received.read_bytes(), facts=facts)

    def next_answer(self, program: Program, answers: queue.Queue[Answer], patience: float) -> Answer:
        try:
            answer = answers.get(timeout=patience)
        except queue.Empty:
            raise PeerFailed(f"{self.name}: no answer within {patience:g} seconds; {program.last_words()}") from None
        if "error" in answer:
            raise PeerFailed(f"{self.name}: {answer['error']}")
        return answer


class _ProgramServer:
    def __init__(
        self, peer: ProgramPeer, order: Order, program: Program, answers: queue.Queue[Answer], received: Path
    ) -> None:
        self._peer = peer
        self._order = order
        self._program = program
        self._answers = answers
        self._received = received
        self.port = int(peer.next_answer(program, answers, STARTING)["port"])

    def report(self) -> Report:
        return self._peer.report(self._order, self._program, self._answers, self._received)

"""An observer that remembers, within bounds."""

from __future__ import annotations

from ..trace import DataReceived, DataSent, RecordReceived, RecordSent, TraceRecord

_MAX_RECORDS = 100_000


class TraceRecorder:
    """Keeps what it is told: the story of one connection, in order.

    A download of gigabytes must not become a trace of gigabytes: once TLS records and application data have
    filled `room` bytes (1 MiB by default), more of them are only counted, in `left_out` and `left_out_bytes`.
    Everything else is kept: handshakes, checks, alerts and decisions.
    """

    def __init__(self, room: int = 1 << 20) -> None:
        self.records: list[TraceRecord] = []
        self.left_out = 0
        self.left_out_bytes = 0
        self._room = room

    def __call__(self, record: TraceRecord) -> None:
        size = 0
        if isinstance(record, RecordSent | RecordReceived):
            size = len(record.raw)
        elif isinstance(record, DataSent | DataReceived):
            size = len(record.data)
        if size > self._room or len(self.records) >= _MAX_RECORDS:
            self.left_out += 1
            self.left_out_bytes += size
            return
        self._room -= size
        self.records.append(record)

"""An encrypted ClientHello in the views: both hellos, each as what it is."""

from __future__ import annotations

import io
import json

from glasslock.registry import Side
from glasslock.trace import TraceRecord
from glasslock.views.json_view import from_json, to_json
from glasslock.views.terminal import Depth, make_console, render

from ..tls.ech.site import PUBLIC, SECRET, visit
from ..tls.pair import client_config


def told() -> list[TraceRecord]:
    trace: list[TraceRecord] = []
    visit(client_config(observer=trace.append)).done()
    return trace


def page(records: list[TraceRecord]) -> str:
    file = io.StringIO()
    render(records, depth=Depth.VERBOSE, console=make_console(file, width=120))
    return file.getvalue()


def test_the_page_shows_both_hellos() -> None:
    text = page(told())
    inside = text.index("■ ClientHello")
    outside = text.index("→ ClientHello")
    assert inside < outside
    assert "for the two ends only" in text[inside:outside]
    assert SECRET in text[inside:outside]
    end = text.index("← ServerHello")
    assert PUBLIC in text[outside:end]
    assert SECRET not in text[outside:end]


def test_the_json_takes_the_inner_hello_apart() -> None:
    trace = told()
    (inner,) = [entry for entry in json.loads(to_json(trace))["records"] if entry["type"] == "InnerHello"]
    assert inner["decoded"]["name"] == "ClientHello"
    assert SECRET in json.dumps(inner["decoded"])
    assert from_json(to_json(trace)) == trace
    assert {record.side for record in trace} == {Side.CLIENT}

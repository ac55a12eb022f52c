"""The trace as JSON, and back."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasslock import trace
from glasslock.errors import GlasslockError
from glasslock.registry import Side
from glasslock.trace import MessageSent, NameResolved, Step, TraceRecord
from glasslock.views.json_view import RECORD_TYPES, SCHEMA, UnreadableTrace, from_json, to_json, to_object
from glasslock.views.schema import document

from .sample import HOST, SCENES

if TYPE_CHECKING:
    from collections.abc import Callable

finite = st.floats(allow_nan=False, allow_infinity=False)
# JSON has no lone surrogates.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
records = st.one_of(
    [
        st.builds(
            kind,
            **{
                f.name: strategy
                for f in fields(kind)
                if (strategy := {"float": finite, "str": text, "bytes": st.binary(max_size=20)}.get(str(f.type)))
                is not None
            },
        )
        for kind in RECORD_TYPES.values()
    ]
)


@pytest.mark.parametrize("scene", SCENES)
def test_a_saved_trace_is_the_same_trace(scene: str) -> None:
    told = SCENES[scene]()
    again = from_json(to_json(told))
    assert again == told
    assert all(type(record.side) is Side and type(record.step) is Step for record in again)
    assert from_json(to_json(told, decode=False, indent=1)) == told


@given(records)
def test_any_record_comes_back(record: TraceRecord) -> None:
    assert from_json(to_json([record])) == [record]


def test_every_record_type_has_a_name() -> None:
    defined = {k for k in vars(trace).values() if isinstance(k, type) and issubclass(k, TraceRecord)}
    assert set(RECORD_TYPES.values()) == defined - {TraceRecord}


def test_the_form_is_the_documented_one() -> None:
    told = SCENES["good"]()
    loaded = json.loads(to_json(told))
    assert list(loaded) == ["schema", "records"]
    assert loaded["schema"] == 1
    first = loaded["records"][0]
    assert first["type"] == "NameResolved"
    assert (first["side"], first["step"], first["host"]) == ("client", 1, HOST)
    assert first["addresses"] == ["::1", "127.0.0.1"]
    hello = next(r for r in loaded["records"] if r["type"] == "MessageSent")
    raw = next(r.raw for r in told if isinstance(r, MessageSent))
    assert hello["raw"] == raw.hex()
    assert hello["decoded"]["name"] == "ClientHello"
    random = next(child for child in hello["decoded"]["children"] if child["name"] == "random")
    assert random["value"] == raw[6:38].hex()
    assert (random["offset"], random["length"]) == (6, 32)
    assert "decoded" not in json.loads(to_json(told, decode=False))["records"][0]


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    entry = to_object(NameResolved(time=1.0, side=Side.CLIENT, host="h", addresses=("a",), seconds=0.5))
    change(entry)
    return json.dumps({"schema": SCHEMA, "records": [entry]})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[]", "no schema"),
        ('{"schema": 2, "records": []}', "schema 2 is not known"),
        ('{"schema": 1}', "no list of records"),
        ('{"schema": 1, "records": [7]}', r"records\[0\] is not an object"),
        ('{"schema": 1, "records": [{"type": "Nothing"}]}', "unknown type 'Nothing'"),
        ('{"schema": 1, "records": [{"type": "Note", "time": NaN}]}', "NaN is not a number"),
        (edited(lambda e: e.pop("host")), "lacks a field.*host"),
        (edited(lambda e: e.update(hots="x")), "unknown field 'hots'"),
        (edited(lambda e: e.update(host=7)), "host should be str, not 7"),
        (edited(lambda e: e.update(seconds=True)), "seconds should be float, not True"),
        (edited(lambda e: e.update(side="nobody")), "side should be Side, not 'nobody'"),
        (edited(lambda e: e.update(step=9)), "step should be Step, not 9"),
        (edited(lambda e: e.update(addresses="a")), "addresses should be a list"),
        (edited(lambda e: e.update(addresses=[1])), r"addresses\[0\] should be str, not 1"),
    ],
)
def test_what_is_not_a_trace_is_refused(document: str, why: str) -> None:
    with pytest.raises(UnreadableTrace, match=why) as caught:
        from_json(document)
    assert isinstance(caught.value, GlasslockError)


def test_bytes_must_be_hex() -> None:
    entry = to_object(MessageSent(time=1.0, side=Side.CLIENT, step=Step.AGREE, message="m", version=772, raw=b"\1"))
    entry["raw"] = "0g"
    with pytest.raises(UnreadableTrace, match="raw should be hex, not '0g'"):
        from_json(json.dumps({"schema": SCHEMA, "records": [entry]}))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | finite | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.sampled_from(sorted(RECORD_TYPES)), st.data())
def test_any_values_in_any_record_are_read_or_refused(name: str, data: st.DataObject) -> None:
    entry = {"type": name} | {
        f.name: data.draw(json_values) for f in fields(RECORD_TYPES[name]) if data.draw(st.booleans())
    }
    try:
        from_json(json.dumps({"schema": SCHEMA, "records": [entry]}))
    except UnreadableTrace:
        return


def test_the_documentation_is_current() -> None:
    """If this fails: python -m glasslock.views.schema > docs/trace.md"""
    page = Path(__file__).parents[2] / "docs" / "trace.md"
    assert page.read_text() == document()
    for name, kind in RECORD_TYPES.items():
        assert f"### {name}\n" in document()
        assert all(
            f"| `{f.name}` |" in document() for f in fields(kind) if f.name not in ("time", "side", "step", "rule")
        )

"""Writes docs/trace.md from `trace/records.py`: `python -m glasslock.views.schema > docs/trace.md`."""

from __future__ import annotations

import dataclasses
import inspect
import sys
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from glasslock.registry import Side
from glasslock.trace import Outcome, Step, TcpInfo, TcpPacket, TraceRecord

from .json_view import RECORD_TYPES, SCHEMA

_HEAD = f"""# The trace

<!-- Written by `python -m glasslock.views.schema > docs/trace.md`; a test holds it to the code. -->

Everything that happens on a connection is told as a list of records (`glasslock.trace`). Every view is a
function of that list, and `--json` writes it down as it is, so that a saved trace can be shown again later:

```json
{{"schema": {SCHEMA}, "records": [{{"type": "NameResolved", "host": "localhost", "...": "..."}}]}}
```

- `schema` is {SCHEMA}. It changes whenever a program that reads traces would have to.
- A record is an object with its `type` and its fields. All types share `time` (seconds since the Unix epoch),
  `side`, `step` and `rule` (the section of the standard that applies; may be empty).
- Bytes are lower-case hex. Durations are seconds. Secrets never appear, only their fingerprints.
- `MessageSent`, `MessageReceived` and `InnerHello` also carry `decoded`, the message as a tree of fields: `name`,
  `value`, `offset` and `length` (bytes, from the start of `raw`), `note` (one sentence for a learner) and `children`,
  which cover their parent exactly. It is for readers without a parser of their own; loading ignores it.

In Python, `glasslock.views.json_view.to_json` writes and `from_json` reads such a document.
"""


def document() -> str:
    """Return the whole page."""
    parts = [_HEAD, _enums()]
    parts += ["## Records\n", *(_section(name, kind) for name, kind in RECORD_TYPES.items())]
    parts += ["## Parts of records\n", *(_section(kind.__name__, kind) for kind in (TcpInfo, TcpPacket))]
    return "\n".join(parts)


def _enums() -> str:
    steps = ", ".join(f"{step.value} {step.name.lower()}" for step in Step)
    sides = ", ".join(f"`{side.name.lower()}`" for side in Side)
    outcomes = ", ".join(f"`{outcome.value}`" for outcome in Outcome)
    return f"- **side**: {sides}\n- **step**: {steps}\n- **outcome**: {outcomes}\n"


def _section(name: str, kind: type) -> str:
    common = {f.name for f in dataclasses.fields(TraceRecord)} if issubclass(kind, TraceRecord) else set()
    hints = get_type_hints(kind)
    lines = [f"### {name}\n", inspect.cleandoc(kind.__doc__ or "") + "\n"]
    if common:
        lines.append(f"Step {_default_of(kind, 'step')}. Rule: {_default_of(kind, 'rule')}.\n")
    lines += ["| field | JSON | may be left out |", "| --- | --- | --- |"]
    for field in dataclasses.fields(kind):
        if field.name not in common:
            optional = "no" if field.default is dataclasses.MISSING else f"`{_json_default(field.default)}`"
            lines.append(f"| `{field.name}` | {_json_type(hints[field.name])} | {optional} |")
    return "\n".join(lines) + "\n"


def _default_of(kind: type, name: str) -> str:
    default = next(f.default for f in dataclasses.fields(kind) if f.name == name)
    if isinstance(default, Step):
        return f"{default.value}"
    return str(default) if isinstance(default, str) and default else "as the record says"


def _json_default(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[]"
    return '""' if value == "" else str(value)


def _json_type(hint: Any) -> str:
    if hint is type(None):
        return "null"
    if get_origin(hint) is tuple:
        items = get_args(hint)
        if items[-1] is Ellipsis:
            return f"list of {_json_type(items[0])}"
        return f"[{', '.join(_json_type(item) for item in items)}]"
    if get_args(hint):
        return " or ".join(_json_type(part) for part in get_args(hint))
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint.__name__.lower()
    names = {bytes: "hex", str: "string", int: "integer", float: "number", bool: "true/false"}
    return names.get(hint, f"[{hint.__name__}](#{hint.__name__.lower()})")


if __name__ == "__main__":
    sys.stdout.write(document())

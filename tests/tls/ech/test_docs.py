"""docs/ech.md: its code runs, and what it shows is what comes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from glasslock.tls import ClientConnection, ECHKey, ServerConnection
from glasslock.tls.ech import config_list_from_pem
from glasslock.trace import TraceRecord

from ..minted import credential
from ..pair import Pair
from .site import PUBLIC, SECRET, Verifier

PAGE = (Path(__file__).parents[3] / "docs" / "ech.md").read_text()


def test_the_code_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    keys, server, client = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    rejecting = {"first": True}
    talked: list[Pair] = []

    def talk(connection: ClientConnection) -> None:
        """Meets the server of the page; at first one that has lost its key."""
        config = names["config_of_server"]
        if rejecting.pop("first", False):
            config = type(config)(credentials=config.credentials, ech_keys=(ECHKey.generate(PUBLIC),))
            names["config_of_server"] = config
        met = Pair(connection, ServerConnection(config)).run()
        talked.append(met)
        for error in met.errors.values():
            raise error

    verifier = Verifier()
    names: dict[str, Any] = {
        "public": credential("p256", PUBLIC),
        "secret": credential("p384", SECRET),
        "verifier": verifier,
        "talk": talk,
    }
    exec(keys, names)
    file = tmp_path / "ech.pem"
    assert file.stat().st_mode & 0o777 == 0o600
    assert ECHKey.from_pem(file.read_bytes())[0].config == names["key"].config
    exec(server, names)
    names["config_of_server"] = names["config"]
    exec(client, names)
    assert [met.client.agreed.ech_accepted for met in talked] == [False, True]
    assert verifier.names == [PUBLIC, SECRET]


def test_the_file_and_the_record_belong_together() -> None:
    pem = re.search(r"-----BEGIN PRIVATE.*END ECHCONFIG-----\n", PAGE, re.DOTALL)
    assert pem is not None
    (key,) = ECHKey.from_pem(pem.group().encode())
    assert (key.config.public_name, key.config.maximum_name_length) == (PUBLIC, 32)
    record = re.search(r"ech=(\S+)", PAGE)
    assert record is not None
    import base64

    assert base64.b64decode(record.group(1)) == config_list_from_pem(pem.group().encode())


def test_the_page_shown_has_the_lines_of_the_view() -> None:
    import io

    from glasslock.views.terminal import Depth, make_console, render

    from ..pair import client_config
    from .site import visit

    trace: list[TraceRecord] = []
    client = client_config(observer=trace.append, versions=(0x0304, 0x0303), groups=(0x11EC, 0x001D, 0x0017))
    visit(client).done().talk()
    file = io.StringIO()
    render(trace, depth=Depth.DEFAULT, console=make_console(file, width=100))
    shown = re.search(r"```\n(3 AGREE.*?)```", PAGE, re.DOTALL)
    assert shown is not None
    for line in shown.group(1).splitlines()[1:]:
        assert line in file.getvalue()

"""The handshakes, each one a generator that reads top to bottom like the RFC's figure of it.

A handshake says what it waits for (`yield from hs.expect(ServerHello)`); the connection drives it with
what arrives. `client.py` and `server.py` begin for every version; `client13.py`/`server13.py` and
`client12.py`/`server12.py` mirror each other; `authentication.py`, `keys13.py` and `post_handshake.py` hold what
both sides do alike.
"""

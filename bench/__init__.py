"""How fast glasslock is beside other TLS implementations that Python can call: `python -m bench`.

Every number is a ratio: one sample is a fresh process that does one piece of work with one implementation, and right
before it another process did the same work with the standard library's `ssl`. The median of many such pairs is what
the table shows. Suite (TLS_AES_128_GCM_SHA256), group (X25519), certificates (P-256) and what is verified are the
same for all.
"""

from __future__ import annotations

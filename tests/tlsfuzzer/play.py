"""Plays one of tlsfuzzer's scripts with AEAD suites in the place of the CBC suites that it names.

    python play.py CHECKOUT SCRIPT [ARGUMENT ...]

Most scripts for TLS 1.2 negotiate a CBC suite although they test something else, and many have no option for
another one. glasslock has no CBC suites, so each of these names gets the number of the GCM suite with the same key
exchange and the same key size. Only the names that scripts use change; tlslite-ng's own tables hold numbers.
"""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path


def replace_cbc_suites() -> None:
    from tlslite.constants import CipherSuite

    for name in list(vars(CipherSuite)):
        found = re.fullmatch(r"(TLS_(?:RSA|ECDHE_RSA|ECDHE_ECDSA)_WITH_AES_(128|256))_CBC_SHA\d*", name)
        if found:
            digest = {"128": "SHA256", "256": "SHA384"}[found[2]]
            setattr(CipherSuite, name, getattr(CipherSuite, f"{found[1]}_GCM_{digest}"))


def main() -> None:
    checkout, script, *arguments = sys.argv[1:]
    sys.path[:0] = [checkout]
    replace_cbc_suites()
    sys.argv = [script, *arguments]
    runpy.run_path(str(Path(checkout) / "scripts" / script), run_name="__main__")


if __name__ == "__main__":
    main()

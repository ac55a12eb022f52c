"""Draw the pictures of the README and the docs from real visits on loopback: `python tools/pictures.py`."""

from __future__ import annotations

from pathlib import Path

from glasslock.lab.broken import SITES, Workshop
from glasslock.lab.demo import Stage, perform
from glasslock.lab.site import Site
from glasslock.tls import ClientConfig
from glasslock.trace import TraceRecord
from glasslock.trust import ServerCertificateVerifier, TrustStore
from glasslock.views.terminal import picture

IMAGES = Path("docs/images")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    (IMAGES / "visit.svg").write_text(picture(perform().visit, title="glasslock visit") + "\n")
    for name in SITES:
        if name != "good":
            (IMAGES / f"{name}.svg").write_text(picture(broken(name), title=f"glasslock visit: {name}") + "\n")


def broken(name: str) -> list[TraceRecord]:
    """The records of a visit to one of the lab's broken sites."""
    shop, stage = Workshop(), Stage()
    root = TrustStore.from_certificates([shop.root], "the lab's root")
    stage.config = ClientConfig(verifier=ServerCertificateVerifier(root))
    stage.host = "site.localhost"
    with Site(shop.site(name).credential, stage.pages) as site:
        return stage.go(site.address)[0]


if __name__ == "__main__":
    main()

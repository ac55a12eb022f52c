"""Products that open encrypted connections to look inside, by the name that their certificates bear.

Security products of companies and schools, anti-virus programs, filters, and developers' tools. The list cannot
be complete, and a product can be told to use any name: a match is a strong hint, no match means nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from .certificate import ParsedCertificate

# Part of an issuer's name, in lower case -> the product.
PRODUCTS = (
    ("adguard", "AdGuard"),
    ("avast", "Avast"),
    ("avg technologies", "AVG"),
    ("barracuda", "Barracuda"),
    ("bitdefender", "Bitdefender"),
    ("blue coat", "Symantec ProxySG (Blue Coat)"),
    ("bluecoat", "Symantec ProxySG (Blue Coat)"),
    ("burp", "Burp Suite"),
    ("cato networks", "Cato Networks"),
    ("charles proxy", "Charles Proxy"),
    ("check point", "Check Point"),
    ("cisco umbrella", "Cisco Umbrella"),
    ("cloudflare managed", "Cloudflare Gateway"),
    ("cloudflare for teams", "Cloudflare Gateway"),
    ("contentkeeper", "ContentKeeper"),
    ("covenant eyes", "Covenant Eyes"),
    ("do_not_trust_fiddlerroot", "Fiddler"),
    ("dr.web", "Dr.Web"),
    ("eset ssl filter", "ESET"),
    ("forcepoint", "Forcepoint"),
    ("fortigate", "Fortinet FortiGate"),
    ("fortinet", "Fortinet FortiGate"),
    ("fg3h", "Fortinet FortiGate"),
    ("goguardian", "GoGuardian"),
    ("http toolkit", "HTTP Toolkit"),
    ("iboss", "iboss"),
    ("kaspersky", "Kaspersky"),
    ("lightspeed", "Lightspeed Filter"),
    ("mcafee web gateway", "Skyhigh (McAfee) Web Gateway"),
    ("mitmproxy", "mitmproxy"),
    ("net nanny", "Net Nanny"),
    ("netfree", "NetFree"),
    ("netskope", "Netskope"),
    ("netspark", "Netspark"),
    ("norton", "Norton"),
    ("owasp zap", "ZAP"),
    ("zed attack proxy", "ZAP"),
    ("palo alto networks", "Palo Alto Networks"),
    ("portswigger", "Burp Suite"),
    ("proxyman", "Proxyman"),
    ("qustodio", "Qustodio"),
    ("securly", "Securly"),
    ("skyhigh", "Skyhigh (McAfee) Web Gateway"),
    ("smoothwall", "Smoothwall"),
    ("sonicwall", "SonicWall"),
    ("sophos", "Sophos"),
    ("squid", "Squid"),
    ("superfish", "Superfish"),
    ("trend micro", "Trend Micro"),
    ("untangle", "Untangle"),
    ("watchguard", "WatchGuard"),
    ("websense", "Forcepoint"),
    ("zscaler", "Zscaler"),
)


_NAMES = dict(PRODUCTS)


@functools.cache
def _known() -> re.Pattern[str]:
    return re.compile("|".join(rf"\b{re.escape(part)}" for part in _NAMES))


def inspecting_product(path: Sequence[ParsedCertificate]) -> str:
    """Name the product whose name is among the issuers of the path; empty if none is known."""
    for certificate in path:
        product = _product(certificate)
        if product:
            return product
    return ""


@functools.lru_cache(maxsize=256)
def _product(certificate: ParsedCertificate) -> str:
    match = _known().search(certificate.issuer.lower())
    return _NAMES[match.group()] if match else ""

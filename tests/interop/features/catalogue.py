"""All features by name; the plain conversation has the empty one."""

from __future__ import annotations

from .base import Feature
from .identity import ClientCertificate, LateClientCertificate, PreSharedKey, Stapling
from .lasting import EarlyData, OurKeyUpdate, PeersKeyUpdate, Resumption
from .negotiation import Alpn, Bulk, Defaults, HelloRetry, RecordSizeLimit, ServerName

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Feature(),
        Defaults(),
        HelloRetry(),
        Alpn(),
        ServerName(),
        ClientCertificate(),
        LateClientCertificate(),
        PreSharedKey(),
        Stapling(),
        RecordSizeLimit(),
        Resumption(),
        EarlyData(),
        OurKeyUpdate(),
        PeersKeyUpdate(),
        Bulk(),
    )
}

"""BoGo: glasslock under the test suite that BoringSSL's authors run against TLS stacks (docs in docs/bogo.md)."""

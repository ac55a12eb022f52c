"""tlsfuzzer's scripts against glasslock (docs in docs/tlsfuzzer.md)."""

"""Bytes to messages and back: every structure stands beside its RFC presentation block."""

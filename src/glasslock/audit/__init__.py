"""Judging other people's servers: probes, findings, a grade."""

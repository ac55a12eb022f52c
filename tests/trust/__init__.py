"""Tests of step 2: stores, paths, checks, verdicts."""

from __future__ import annotations

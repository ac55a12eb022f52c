"""Attackers and broken sites, to see what stops them."""

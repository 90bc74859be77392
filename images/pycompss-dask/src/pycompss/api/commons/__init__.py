"""Kept for scripts that import from here."""

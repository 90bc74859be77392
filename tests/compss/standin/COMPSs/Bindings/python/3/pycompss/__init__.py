"""Stands in for COMPSs' Python binding."""

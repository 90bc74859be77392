"""Directions of parameters, which mean nothing here."""

IN = OUT = INOUT = COLLECTION_IN = COLLECTION_INOUT = None

"""The modules that scripts import from."""

"""The API without a runtime, for programs that choose it: decorators change nothing, calls run at once."""

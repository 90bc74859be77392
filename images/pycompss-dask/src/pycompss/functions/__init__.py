"""Small helpers that scripts use with tasks."""

"""What scripts use of PyCOMPSs' own helpers."""

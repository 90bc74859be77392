"""What scripts use of PyCOMPSs' runtime."""

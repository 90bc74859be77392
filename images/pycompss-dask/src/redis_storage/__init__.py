"""PyCOMPSs' storage interface on Redis: objects that outlive a run, found again by name.

`runcompss --storage_impl=redis --storage_conf=<file>` makes it the package `storage` of the script.
"""

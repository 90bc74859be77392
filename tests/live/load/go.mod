module continuum.edge/tests/live/load

go 1.23

"""The monitoring API of a COMPSs application: task events in, Prometheus metrics and JSON out."""

"""The Monitoring API: a cluster's records by the names of the catalogue."""

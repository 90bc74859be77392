"""Decides by what the Monitoring API tells, and lets Kubernetes act."""

"""Finds out whether replicas are still what they were at deployment. It reads, and never writes."""

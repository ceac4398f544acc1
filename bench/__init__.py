"""Benchmarks: a module each, and the page that they make."""

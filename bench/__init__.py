"""Benchmarks: a module each, and the page that they make."""

from tools.stamp import BUNDLE_SOURCES

# What the results depend on.
SOURCES = (*BUNDLE_SOURCES, "constructs", "local/secrets_manager", "bench")

"""The benchmarks, one in each module, and the page that they write."""

from tools.stamp import BUNDLE_SOURCES

# What the results depend on.
SOURCES = (*BUNDLE_SOURCES, "constructs", "local/secrets_manager", "bench")

"""The command ``replicated-secret``. It runs the monitor's own code: in the wheel, from the Lambda's bundle."""

import sys
from pathlib import Path

_HERE = Path(__file__).parents[1]
# The last entries of sys.path: what the bundle has of other packages must not replace what is installed.
sys.path += [str(_HERE / "cdk_replicated_secret" / "_handler.zip"), str(_HERE.parent / "handler")]

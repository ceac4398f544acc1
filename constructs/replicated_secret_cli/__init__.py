"""The command ``replicated-secret``. It runs the monitor's own code: in the wheel, from the Lambda's bundle."""

import sys
from pathlib import Path

_HERE = Path(__file__).parents[1]
# At the end of sys.path: the bundle's copies of other packages must not replace the installed ones.
sys.path += [str(_HERE / "cdk_replicated_secret" / "_handler.zip"), str(_HERE.parent / "handler")]

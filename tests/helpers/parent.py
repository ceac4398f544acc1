"""A run that is killed must not leave its tests deploying."""

from __future__ import annotations

import os
import signal
import threading
import time

_EVERY = 0.5


def end_with_parent() -> None:
    """Send this process Ctrl-C when the process that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_EVERY)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=watch, daemon=True).start()

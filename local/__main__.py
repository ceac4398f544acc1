"""``python -m local``: local AWS in the foreground, until Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import shutil
import signal
import socket
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .secrets_manager import Delays
from .server import HOST, clean_environment, environment

_SDK = Path(__file__).parent.parent / "node_modules" / "@aws-sdk"
_LAST_PORT = 65535
_THREADS = 256


def main() -> None:
    """Serve, and print the environment variables that point clients here."""
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="port on loopback; 0, the default, for any free one")
    parser.add_argument("--speed", type=float, default=1.0, help="speed of replication as a multiple of AWS's")
    parser.add_argument(
        "--until-eof", action="store_true", help="stop when standard input ends, which it does with the parent process"
    )
    parser.add_argument(
        "--behind", type=int, default=0, metavar="PORT", help="port of a proxy, through which Lambdas reach local AWS"
    )
    parser.add_argument("--auth", action="store_true", help="enforce IAM policies, except for root's calls")
    arguments = parser.parse_args()
    if not (math.isfinite(arguments.speed) and arguments.speed > 0):
        parser.error(f"the speed is {arguments.speed}: give a number above 0")
    if not 0 <= arguments.port <= _LAST_PORT:
        parser.error(f"the port is {arguments.port}: give 1 to {_LAST_PORT}, or 0 for any free one")
    try:
        listener = socket.create_server((HOST, arguments.port))
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        parser.error(f"port {arguments.port} cannot be used ({reason}): give another, or 0 for any free one")
    port = listener.getsockname()[1]
    # MiniStack reads its settings from the environment when it is imported. Lambdas inherit the whole environment.
    inherited = clean_environment()
    os.environ.clear()
    os.environ.update(
        inherited, GATEWAY_PORT=str(arguments.behind or port), BIND_HOST=HOST, MINISTACK_HOST=HOST, LOG_LEVEL="WARNING"
    )
    os.environ["AUTH"] = str(arguments.auth).lower()
    # MQTT and SFTP have fixed ports, on which two local AWS would collide; MQTT's is on every interface.
    os.environ.update(IOT_MTLS_ENABLED="0", SFTP_ENABLED="0")
    with tempfile.TemporaryDirectory(prefix="local-aws-") as scratch:
        # The folder holds the Lambdas' code and whatever else MiniStack writes to files.
        tempfile.tempdir = os.environ["TMPDIR"] = os.environ["STATE_DIR"] = scratch
        _bring_sdk(Path(scratch))
        try:
            asyncio.run(_serve(listener, 1 / arguments.speed, until_eof=arguments.until_eof))
        except KeyboardInterrupt:
            sys.exit(130)


def _bring_sdk(scratch: Path) -> None:
    """Put the AWS SDK where functions in Node find it, as in Lambda's runtime: their code is below this folder.

    MiniStack's stub of the SDK ignores the Region that a client is made for.
    """
    modules = scratch / "node_modules"
    modules.mkdir()
    (modules / "@aws-sdk").symlink_to(_SDK)


async def _serve(listener: socket.socket, scale: float, *, until_eof: bool) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    from .ministack import app

    # MiniStack has read it. In the Lambdas, Powertools would read it too.
    os.environ.pop("LOG_LEVEL")
    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.accesslog = None
    config.graceful_timeout = 0.2  # clients keep connections open that no one uses
    config.loglevel = "WARNING"
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    # Each custom resource has a thread that waits for it, and the calls of their Lambdas need threads as well.
    loop.set_default_executor(ThreadPoolExecutor(_THREADS))
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if until_eof:
        threading.Thread(target=_until_eof, args=(loop, stop), daemon=True).start()
    else:
        pace = f"{1 / scale:g} times as fast as AWS" if scale != 1 else "at AWS's speed"
        print(f"Local AWS, replicating {pace}. Press Ctrl-C to stop.\n")
        variables = environment(listener.getsockname()[1])
        print("\n".join(f"export {name}={value}" for name, value in variables.items()), flush=True)
    await serve(app(Delays().scaled(scale)), config, shutdown_trigger=stop.wait)
    _leave(with_group=until_eof)


def _leave(*, with_group: bool) -> None:
    """Exit immediately. A thread may wait up to an hour for a custom resource, and Python would wait for the thread.

    Args:
        with_group: also end the processes that this one started; it leads their process group.
    """
    shutil.rmtree(os.environ["STATE_DIR"], ignore_errors=True)
    if with_group and os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)
    os._exit(0)


def _until_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    sys.stdin.buffer.read()
    loop.call_soon_threadsafe(stop.set)


if __name__ == "__main__":
    main()

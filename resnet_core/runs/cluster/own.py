"""Which cluster: the one of RAY_ADDRESS, or one of our own on this machine, kept by a process for as long as somebody trains on it.

python -m resnet_core.runs.cluster.own --home runs
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import resnet_core
from resnet_core import atomic
from resnet_core.errors import RunError
from resnet_core.language import mark
from resnet_core.runs import files, looking
from resnet_core.runs.executor import RAY
from resnet_core.runs.launch import slot_path
from resnet_core.system import with_this_code

#: Seconds without a worker, and without a run that waits for one, after which our own cluster ends.
IDLE_SECONDS = 300.0
START_SECONDS = 120.0
_LOOK_SECONDS = 1.0
#: Of the object store of our own cluster: the full CIFAR-10 has 184 MB.
_STORE_BYTES = 2_000_000_000


def _is_given() -> bool:
    return bool(os.environ.get("RAY_ADDRESS", "").strip())


def prepare(home: Path) -> None:
    """Set what Ray reads as it is imported. Our own cluster lets nobody in who cannot read a file in the home."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not _is_given():
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(home / ".slots" / "cluster.token")}


def connect(home: Path) -> None:
    """Connect this process, which has called ``prepare``, to the cluster.

    Raises:
        RunError: nothing answers at RAY_ADDRESS, or a cluster of our own does not start.
    """
    import ray

    given = _is_given()
    address = os.environ["RAY_ADDRESS"].strip() if given else _own(home)
    where = "RAY_ADDRESS" if given else files.shown(_log(home))
    _look_for(address, where)
    root = Path(resnet_core.__file__).resolve().parents[1]
    # The nodes of others get the code from us. It holds the embedded data sets too.
    shipped: dict[str, Any] = {"py_modules": [str(root / "resnet_core")], "excludes": ["**/__pycache__"]} if given else {}
    variables = {name: value for name, value in os.environ.items() if name == "RESNET_LAB_SLOTS"}
    try:
        environment = ({"env_vars": variables} if variables else {}) | shipped
        ray.init(address, namespace="resnet-lab", log_to_driver=False, logging_level=logging.ERROR, runtime_env=environment or None)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_answer(address, where, error) from error


def _look_for(address: str, where: str) -> None:
    """Ray itself tries for most of a minute where nothing listens."""
    host, _, port = address.rpartition(":")
    if host and port.isdecimal() and "/" not in host:
        try:
            socket.create_connection((host, int(port)), timeout=10).close()
        except OSError as error:
            raise _no_answer(address, where, error) from error


def _no_answer(address: str, where: str, error: Exception) -> RunError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    text = mark("The Ray cluster at {address} does not answer: {reason}. Look at {where}, or train without it.")
    return RunError(text, address=address, reason=reason, where=where)


def _place(home: Path) -> Path:
    return home / ".slots" / "cluster.json"


def _log(home: Path) -> Path:
    return home / ".slots" / "cluster.log"


def _lock_path(home: Path) -> Path:
    return home / ".slots" / "cluster.lock"


def _own(home: Path) -> str:
    """The address of our own cluster, started where there is none."""
    end = time.monotonic() + START_SECONDS
    started = False
    while time.monotonic() < end:
        lock = files.acquire(_lock_path(home))
        if lock is not None:
            try:
                if started:
                    break  # it has ended before it could say where it is
                _place(home).unlink(missing_ok=True)
                token = os.open(os.environ["RAY_AUTH_TOKEN_PATH"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
                with open(token, "w") as file:
                    file.write(secrets.token_hex(32))
                _start(home, lock)
                started = True
            finally:
                os.close(lock)
        try:
            return str(json.loads(_place(home).read_text())["address"])
        except (OSError, ValueError, KeyError):
            time.sleep(0.1)
    raise RunError("A Ray cluster on this machine did not start; its log is {path}.", path=files.shown(_log(home)))


def _start(home: Path, lock: int) -> None:
    command = [sys.executable, "-m", "resnet_core.runs.cluster.own", "--home", str(home.absolute()), "--lock-fd", str(lock)]
    with open(_log(home), "wb") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(lock,), start_new_session=True, env=with_this_code()
        )
    threading.Thread(target=process.wait, daemon=True).start()


def _is_needed(home: Path) -> bool:
    """Whether a worker lives that trains on the cluster, or a run waits for one."""
    if any(files.is_held(path) for path in slot_path(home, RAY).parent.glob(f"{RAY}-*.lock")):
        return True
    return any(each.brief.state == "queued" and each.pool == RAY for each in looking.look(home).others)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m resnet_core.runs.cluster.own", description="Keep a Ray cluster on this machine.")
    parser.add_argument("--home", required=True, type=Path, help="the folder of the runs")
    parser.add_argument("--lock-fd", type=int, required=True, help="the lock of the cluster, as an open file")
    arguments = parser.parse_args(argv)
    os.set_inheritable(arguments.lock_fd, False)
    prepare(arguments.home)
    import ray

    over = threading.Event()
    ray.init("local", include_dashboard=False, object_store_memory=_STORE_BYTES, log_to_driver=False, logging_level=logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: over.set())  # after Ray has set its own
    place = _place(arguments.home)
    with atomic.replacing(place) as written:
        written.write_text(json.dumps({"address": ray.get_runtime_context().gcs_address, "pid": os.getpid()}))
    needed = time.monotonic()
    while not over.wait(_LOOK_SECONDS) and arguments.home.is_dir():
        if _is_needed(arguments.home):
            needed = time.monotonic()
        elif time.monotonic() - needed >= IDLE_SECONDS:
            break
    place.unlink(missing_ok=True)
    ray.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The process beside a language model's own server: it starts the server, and ends it when nobody uses it any more.

This is a script of the standard library alone, so that it starts at once. Who uses the server holds the lock of a file
in the folder ``users``. The system lets go of a lock when the process that holds it ends, be it by ``kill -9``.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

if os.name == "nt":
    import msvcrt
else:
    import fcntl

_SECONDS = 0.5  # between two looks
_TO_END = 10  # seconds that the server has to end by itself


def lock(path):
    """Lock a file, which is made if there is none; return it, or None if another holds the lock.

    The lock is held until the file is closed or the process ends.
    """
    file = open(path, "a+b")  # noqa: SIM115
    try:
        if os.name == "nt":
            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def wait_for_lock(path):
    """Lock a file as soon as no other holds it."""
    while (file := lock(path)) is None:
        time.sleep(0.05)
    return file


def has_users(folder):
    """Return whether any process uses the server."""
    for path in (folder / "users").iterdir():
        if (file := lock(path)) is None:
            return True
        file.close()
    return False


def watch(folder, command):
    """Run the server, which writes where this process does, until it ends or nobody uses it."""
    with wait_for_lock(folder / "running") as running:
        server = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a group of its own, with the processes that it starts
            preexec_fn=_end_with_parent if sys.platform == "linux" else None,
        )
        while _runs(server, _SECONDS):
            if has_users(folder):
                continue
            with wait_for_lock(folder / "starting"):  # so that nobody comes meanwhile
                if not has_users(folder):
                    _end(server)
                    shutil.rmtree(folder / "users")
                    running.close()  # before the other lock, so that who comes now starts a new server
                    return


def _runs(server, seconds):
    """Return whether the server runs on, after a wait."""
    try:
        server.wait(seconds)
    except subprocess.TimeoutExpired:
        return True
    return False


def _end_with_parent():
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG, because this process may be killed too


def _end(server):
    for name in ("SIGTERM", "SIGKILL"):
        if os.name == "nt":
            server.terminate()
        else:
            os.killpg(server.pid, getattr(signal, name))
        if not _runs(server, _TO_END):
            return


if __name__ == "__main__":
    watch(Path(sys.argv[1]), sys.argv[2:])

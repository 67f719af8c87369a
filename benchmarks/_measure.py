"""Wall time of competitors taken in turns, and the time and memory of work in a process of its own."""

import multiprocessing
import re
import time
from pathlib import Path
from typing import Any, NamedTuple

import torch

_ON_GPU = torch.cuda.is_available()


class Alone(NamedTuple):
    """What work in a process of its own returned, its seconds, and its peaks of memory."""

    result: Any
    seconds: float
    peak_bytes: int  # of anonymous memory, above the start
    whole_bytes: int  # of anonymous memory, with what imports and the preparation took
    address_bytes: int  # of addresses in all, which `ulimit -v` limits


def seconds(call):
    """Return the wall time of one call."""
    start = time.perf_counter()
    call()
    if _ON_GPU:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def in_turns(calls, repeats):
    """Return the seconds of each of the named calls, once a round, so that a slow minute hits all alike.

    Each round starts with another one.
    """
    names = list(calls)
    taken = {name: [] for name in names}
    for turn in range(repeats):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            taken[name].append(seconds(calls[name]))
    return taken


def alone(prepare, work, *args):
    """Do ``work(prepare(*args))`` in a fresh process, and measure the work without the preparation.

    Memory is RssAnon of /proc (Linux): what the process allocated, without the pages of files it has mapped. It is
    read from outside every 5 ms, so that the process is not slowed down.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_serve, args=(there, prepare, work, args))
    process.start()
    there.close()  # else a process that died would be waited for
    here.recv()
    idle = peak = _status_bytes(process.pid, "RssAnon")
    here.send("start")
    while not here.poll(0.005):
        peak = max(peak, _status_bytes(process.pid, "RssAnon"))
    elapsed, address_bytes, result = here.recv()
    process.join()
    return Alone(result, elapsed, peak - idle, peak, address_bytes)


def _serve(pipe, prepare, work, args):
    prepared = prepare(*args)
    pipe.send("prepared")
    pipe.recv()
    start = time.perf_counter()
    result = work(prepared)
    pipe.send((time.perf_counter() - start, _status_bytes("self", "VmPeak"), result))


def _status_bytes(pid, name):
    found = re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return 1024 * int(found[1]) if found else 0  # no line: the process has just ended

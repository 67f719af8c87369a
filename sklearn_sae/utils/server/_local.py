"""A language model on this machine: the server that `transformers`, vLLM or llama.cpp bring, started when it is needed.

A server is for one model. All processes of a user share it, by a folder in the cache folder, and it ends with the last
of them; `sklearn_sae.utils.server._local_watch` sees to that.
"""

import http.client
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from importlib.util import find_spec

from sklearn_sae.utils._notes import warn
from sklearn_sae.utils.server import _local_watch
from sklearn_sae.utils.store import cache_folder, digest

ENGINES = {
    "transformers": 'install it with pip install "sklearn-sae[serve]"',
    "vllm": "install it with pip install vllm",
    "llama.cpp": "put its llama-server on the PATH, or install it with pip install xllamacpp",
}
_POLL = 0.1  # seconds
_PARENT_POLL = 1.0  # seconds
_PATIENCE = 30  # seconds, before it is said that the start takes long
_LINES = 15  # of a log, in an error
# For `xllamacpp`, whose server reads no command line.
_XLLAMACPP = """
import os, sys, threading, xllamacpp
params = xllamacpp.CommonParams()
params.model.path, params.port = sys.argv[1], int(sys.argv[2])
params.cpuparams.n_threads = int(os.environ.get("LLAMA_ARG_THREADS", -1))
server = xllamacpp.Server(params)
threading.Event().wait()
"""
_held = {}  # from the folder of a server to the file by whose lock this process uses it


def check_engine(engine):
    """Raise an ImportError if an engine is not installed."""
    _command(engine, "", 0)


def local_address(engine, model):
    """Return the address of the server of a model, which is started if it does not run.

    Parameters
    ----------
    engine : {"transformers", "vllm", "llama.cpp"}
    model : str
        A folder or file, or a name on the Hugging Face hub.

    Returns
    -------
    base_url : str

    Raises
    ------
    ImportError
        If the engine is not installed.
    RuntimeError
        If its server ends before it answers. The message ends with the last lines of its log.
    """
    where = os.getcwd() if os.path.exists(model) else ""  # because the path may be relative
    folder = cache_folder("auto") / "servers" / digest(engine, model, where, socket.gethostname()).hex()[:16]
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _local_watch.wait_for_lock(folder / "starting"):
        if folder not in _held:
            users = folder / "users"
            users.mkdir(exist_ok=True)
            _held[folder] = _local_watch.wait_for_lock(users / str(os.getpid()))
            if multiprocessing.current_process().name != "MainProcess":
                threading.Thread(target=_let_go_as_an_orphan, args=(folder, os.getppid()), daemon=True).start()
        if not (_is_running(folder) and _comes_to_answer(folder, engine, model)):
            _start(folder, engine, model)
            if not _comes_to_answer(folder, engine, model):
                log = (folder / "log").read_text(errors="replace").splitlines()[-_LINES:]
                raise RuntimeError(
                    f"The server of {engine} ended before it could answer for model {model!r}. The last lines of its "
                    f"log, {folder / 'log'}:\n" + "\n".join(log)
                )
        port = _port(folder)
    return f"http://127.0.0.1:{port}/v1"


def _let_go_as_an_orphan(folder, parent):
    """Wait until the parent process has ended, and give up the use of a server.

    A worker of joblib whose parent is killed would else hold the server for the minutes that it waits for work.
    """
    while os.getppid() == parent:
        time.sleep(_PARENT_POLL)
    if (file := _held.pop(folder, None)) is not None:
        file.close()


def _start(folder, engine, model):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = _command(engine, model, port)
    (folder / "port").write_text(str(port))
    quiet = {"VLLM_LOGGING_LEVEL": "WARNING"}  # because at INFO it logs what is asked
    with open(folder / "log", "wb") as log:  # not the pipes of this process, which the server may outlive
        watcher = subprocess.Popen(
            [sys.executable, _local_watch.__file__, str(folder), *command],
            env=quiet | dict(os.environ),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # so that Ctrl-C does not reach it
        )
    while not _is_running(folder) and watcher.poll() is None:
        time.sleep(_POLL)


def _comes_to_answer(folder, engine, model):
    """Wait until a server answers, for as long as it runs; return whether it did."""
    start, is_told = time.monotonic(), False
    while not _answers(_port(folder)):
        if not _is_running(folder):
            return False
        if not is_told and time.monotonic() - start > _PATIENCE:
            warn(f"The server of {engine} is still starting, or fetching {model!r}; its log is {folder / 'log'}.")
            is_told = True
        time.sleep(_POLL)
    return True


def _port(folder):
    return int((folder / "port").read_text())


def _is_running(folder):
    file = _local_watch.lock(folder / "running")
    if file is None:
        return True
    file.close()
    return False


def _answers(port):
    status = _status(port, "/health")
    return _status(port, "/v1/models") == 200 if status == 404 else status == 200  # llama-cpp-python has the second


def _status(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _command(engine, model, port):
    """Return the command that starts a server."""
    here = ["--host", "127.0.0.1", "--port", str(port)]
    python = [sys.executable, "-m"]
    if engine == "transformers" and all(map(_has_module, ("transformers.cli.serve", "fastapi", "uvicorn"))):
        return [*python, "transformers.cli.transformers", "serve", model, *here]
    if engine == "vllm" and _has_module("vllm"):
        return [*python, "vllm.entrypoints.openai.api_server", "--model", model, *here]
    if engine == "llama.cpp":
        if (binary := shutil.which("llama-server")) is not None:
            return [binary, *(["-m", model] if os.path.exists(model) else ["-hf", model]), "--alias", model, *here]
        if _has_module("xllamacpp"):
            return [sys.executable, "-c", _XLLAMACPP, model, str(port)]
        if _has_module("llama_cpp.server"):
            return [*python, "llama_cpp.server", "--model", model, "--model_alias", model, *here]
    raise ImportError(f"server={engine!r} needs {engine}, which is not installed; {ENGINES[engine]}.")


def _has_module(name):
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False

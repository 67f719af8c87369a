"""A language model's own server, which is started here, shared, and ended with the processes that use it."""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import textwrap
import time
import urllib.request
from contextlib import suppress

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_sae import LLMHypothesisAnnotator
from sklearn_sae.utils.server import _local
from sklearn_sae.utils.server._connection import Connection

# An engine that needs no model: it says its process number, and answers 503 at first, as llama.cpp does.
ENGINE = """
import http.server, json, os, sys, time
ready = time.monotonic() + 0.3
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.answer(200 if time.monotonic() > ready else 503, {})
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        message = {"role": "assistant", "content": "yes"}
        self.answer(200, {"choices": [{"message": message, "finish_reason": "stop"}], "pid": os.getpid()})
    def answer(self, status, body):
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])), Handler).serve_forever()
"""
BROKEN = "print('no such weights'); raise SystemExit(3)"


@pytest.fixture
def llama_server(tmp_path, monkeypatch):
    """Put a program named llama-server on the PATH, and let servers be kept in a folder of this test."""

    def install(source):
        program = tmp_path / "bin" / "llama-server"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!{sys.executable}\n{source}")
        program.chmod(0o755)
        return program

    if os.name == "nt":
        pytest.skip("needs a program that begins with #!")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("SKLEARN_SAE_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(_local, "_held", held := {})
    install(ENGINE)
    yield install
    for file in held.values():
        file.close()


def use(seconds):
    """Start a process that uses the server, prints its address and then waits."""
    script = f"""
        import time
        from sklearn_sae.utils.server._local import local_address
        print(local_address("llama.cpp", "some/model"), flush=True)
        time.sleep({seconds})
    """
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True, env=os.environ
    )


def port_of(address):
    return int(re.search(r":(\d+)/", address)[1])


def ends(address):
    """Return whether nobody answers at an address within some seconds."""
    deadline = time.monotonic() + 30
    while _local._answers(port_of(address)):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_server_is_shared_and_ends_with_its_last_user(llama_server):
    first = use(600)
    address = first.stdout.readline().strip()
    second = use(0)
    assert second.stdout.readline().strip() == address
    second.wait(30)
    time.sleep(2)  # in which the server would end
    assert _local._answers(port_of(address))
    first.terminate()
    first.wait(30)
    assert ends(address)


def test_a_server_ends_with_a_user_that_is_killed(llama_server):
    process = use(60)
    address = process.stdout.readline().strip()
    process.kill()
    process.wait()
    assert process.returncode == -signal.SIGKILL
    assert ends(address)


JOBS = """
import os, sys, time
from joblib import Parallel, delayed
from sklearn_sae import LLMHypothesisAnnotator
from sklearn_sae.utils.server._local import local_address

def work(number):
    own = LLMHypothesisAnnotator(hypotheses=["is kind"], annotator="some/model", server="llama.cpp")
    own.transform([f"Text {number}, {i}." for i in range(3)])
    time.sleep(1)  # so that one worker does not do it all
    return os.getpid(), own.usage_["requests"], local_address("llama.cpp", "some/model")

if __name__ == "__main__":
    for row in Parallel(n_jobs=2, backend="loky")(delayed(work)(number) for number in range(4)):
        print(*row, flush=True)
    time.sleep(float(sys.argv[1]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("is_killed", [False, True])
def test_workers_of_joblib_share_a_server_that_ends_with_them(llama_server, tmp_path, monkeypatch, is_killed):
    monkeypatch.setenv("STARTS", str(tmp_path / "starts"))
    llama_server("import os\nopen(os.environ['STARTS'], 'a').write(f'{os.getpid()}\\n')\n" + ENGINE)
    (tmp_path / "jobs.py").write_text(JOBS)
    command = [sys.executable, str(tmp_path / "jobs.py"), "600" if is_killed else "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    workers, n_requests, addresses = zip(*(process.stdout.readline().split() for _ in range(4)), strict=True)
    assert len(set(workers)) == 2
    assert n_requests == ("3",) * 4
    assert len(set(addresses)) == 1
    assert len((tmp_path / "starts").read_text().split()) == 1
    if is_killed:
        process.kill()
    process.wait()
    has_ended = ends(addresses[0])
    for worker in set(workers):  # those of a parent that was killed wait for work for five minutes
        with suppress(ProcessLookupError):
            os.kill(int(worker), signal.SIGKILL)
    assert has_ended


def test_a_server_does_not_hold_the_output_of_who_started_it(llama_server):
    """Who reads from the process that started a server, as a shell does, need not wait for its other users."""
    first = use(2)
    address = first.stdout.readline().strip()
    second = use(60)
    assert second.stdout.readline().strip() == address
    assert first.communicate(timeout=30) == ("", None)  # its end, which comes when nobody can write there any more
    assert _local._answers(port_of(address))
    second.kill()
    second.communicate()
    assert ends(address)


def test_a_server_that_ended_is_started_again(llama_server):
    address = _local.local_address("llama.cpp", "some/model")
    assert _local.local_address("llama.cpp", "some/model") == address
    with urllib.request.urlopen(f"{address}/chat/completions", data=b"{}") as response:
        os.kill(json.load(response)["pid"], signal.SIGKILL)
    assert ends(address)
    assert _local.local_address("llama.cpp", "some/model") != address


def test_a_server_that_cannot_start_says_why(llama_server):
    llama_server(BROKEN)
    with pytest.raises(RuntimeError, match=r"(?s)llama.cpp ended before it could answer.*some/model.*no such weights"):
        _local.local_address("llama.cpp", "some/model")


def test_annotations(llama_server):
    annotator = LLMHypothesisAnnotator(hypotheses=["is kind"], annotator="some/model", server="llama.cpp")
    annotator = pickle.loads(pickle.dumps(clone(annotator)))
    assert annotator.get_params()["server"] == "llama.cpp"
    assert annotator.estimate_cost(2)["requests"] == 2
    assert not _local._held  # nothing is started yet
    np.testing.assert_array_equal(annotator.transform(["a", "b"]), 1)
    assert len(_local._held) == 1
    (held,) = _local._held.values()
    held.close()  # as at the end of this process: another finds the answers, whatever address its server would have
    _local._held.clear()
    np.testing.assert_array_equal(clone(annotator).set_params(max_requests=0).transform(["a", "b"]), 1)


def test_models_of_one_relative_path_are_two(llama_server, tmp_path, monkeypatch):
    annotator = LLMHypothesisAnnotator(hypotheses=["is kind"], annotator="model", server="llama.cpp", max_requests=1)
    for name in ("a", "b"):
        (tmp_path / name / "model").mkdir(parents=True)
        monkeypatch.chdir(tmp_path / name)
        own = clone(annotator)
        own.transform(["a text"])
        assert own.usage_["requests"] == 1
    own.transform(["a text"])
    assert own.usage_["cached"] == 1


def test_server_and_base_url_exclude_each_other():
    annotator = LLMHypothesisAnnotator(hypotheses=["is kind"], server="vllm", base_url="http://localhost:1/v1")
    with pytest.raises(ValueError, match="server and base_url exclude each other"):
        annotator.transform(["a"])


@pytest.mark.parametrize(
    ("engine", "needed"),
    [
        ("transformers", r"sklearn-sae\[serve\]"),
        ("vllm", "pip install vllm"),
        ("llama.cpp", "llama-server on the PATH"),
    ],
)
def test_an_engine_that_is_not_there(engine, needed, monkeypatch):
    monkeypatch.setattr(_local, "_has_module", lambda name: False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ImportError, match=f"server='{engine}' needs {engine}.*{needed}"):
        _local.check_engine(engine)


def test_commands(monkeypatch, tmp_path):
    """What is run; of vLLM and llama-cpp-python no more than this is tested."""
    monkeypatch.setattr(_local, "_has_module", lambda name: name != "xllamacpp")
    monkeypatch.setattr(_local.shutil, "which", lambda name: None)
    file = tmp_path / "model.gguf"
    file.touch()
    here = ["--host", "127.0.0.1", "--port", "5"]
    vllm = _local._command("vllm", "some/model", 5)
    assert vllm[1:] == ["-m", "vllm.entrypoints.openai.api_server", "--model", "some/model", *here]
    python = _local._command("llama.cpp", str(file), 5)
    assert python[1:] == ["-m", "llama_cpp.server", "--model", str(file), "--model_alias", str(file), *here]
    monkeypatch.setattr(_local, "_has_module", lambda name: True)
    assert _local._command("llama.cpp", str(file), 5)[-2:] == [str(file), "5"]
    monkeypatch.setattr(_local.shutil, "which", lambda name: f"/bin/{name}")
    assert _local._command("llama.cpp", str(file), 5) == [
        "/bin/llama-server", "-m", str(file), "--alias", str(file), *here
    ]  # fmt: skip
    assert _local._command("llama.cpp", "some/model", 5)[1:3] == ["-hf", "some/model"]


def test_the_name_that_answers_are_kept_under_is_not_the_address():
    assert Connection(server="transformers").base_url == Connection(server="transformers").base_url
    assert Connection(server="transformers").base_url != Connection(server="vllm").base_url

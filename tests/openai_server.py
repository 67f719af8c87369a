"""A small deterministic HTTP server that speaks the OpenAI protocol, for tests through the real client.

Chat Completions, Responses, Embeddings, the list of models, files and batches, over HTTP/1.1 with keep-alive.
The settable attributes of `OpenAIServer` shape the answers; its counters say what arrived.
"""

import base64
import email
import email.policy
import hashlib
import json
import math
import secrets
import socket
import socketserver
import threading
import time
import zlib
from contextlib import suppress
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit

import numpy as np

CUT = "cut"  # returned by `fail`: close the connection without an answer


class OpenAIServer:
    """Use as a context manager; it listens on a free port of 127.0.0.1.

    Attributes
    ----------
    base_url : str
    requests : list of dict
        ``method``, ``path``, ``headers`` (names in lower case) and ``body`` of each request, in order of arrival.
    reply : callable (body) -> str
        The assistant's text, for Chat Completions and Responses.
    latency : float
        Seconds that each request takes.
    max_in_flight : int
        The most requests that were in work at one moment. Set it to 0 to start again.
    fail : callable (body, n_requests_so_far) -> None, (status, body, headers) or "cut"
        What to answer in place of the real thing; "cut" closes the connection. The count leaves this request out.
    embedding_dim : int
    max_tokens : int
        An embedding input of more whitespace words is refused, code "context_length_exceeded".
    probability : float
        Of each token of a reply, when `logprobs` are asked for.
    files : dict of id -> file
        What was uploaded or written by a batch and not deleted; its bytes are its "content".
    batches : dict of id -> batch
        In order of creation; each as the API shows it, with its input under "requests".
    batch_seconds : float
        How long a batch takes.
    batch_refuse : callable (batch, its open predecessors) -> None or str
        The code with which a batch fails validation.
    batch_expire : bool
        Let a batch expire when half of its requests are done.
    batch_fail : callable (body, i) -> None or status
        The status of a batch's i-th request, in place of 200.
    """

    def __init__(self):
        self.requests = []
        self.reply = default_reply
        self.latency = 0.0
        self.max_in_flight = 0
        self.fail = None
        self.embedding_dim = 8
        self.max_tokens = 8192
        self.probability = 0.9
        self.files = {}
        self.batches = {}
        self.batch_seconds = 0.0
        self.batch_refuse = None
        self.batch_expire = False
        self.batch_fail = None
        self._in_flight = 0
        self._lock = threading.Lock()
        self._sockets = set()

    def __enter__(self):
        self._server = _TCPServer(("127.0.0.1", 0), _Handler)
        self._server.owner = self
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc_info):
        self._server.shutdown()
        self._server.server_close()
        with self._lock:
            for connection in self._sockets:  # ends the threads that wait for a next request
                with suppress(OSError):  # the client has gone already
                    connection.shutdown(socket.SHUT_RDWR)

    def answer(self, method, path, headers, body):
        """Return (status, body, headers), or "cut"."""
        with self._lock:
            so_far = len(self.requests)
            self.requests.append({"method": method, "path": path, "headers": headers, "body": body})
            self._in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            if self.latency:
                time.sleep(self.latency)
            failure = self.fail(body, so_far) if self.fail else None
            return failure or self._respond(method, path, body)
        except Exception as error:  # a test's own callable went wrong: show it to the client
            return _error(500, f"{type(error).__name__}: {error}", "test_server_error")
        finally:
            with self._lock:
                self._in_flight -= 1

    def _respond(self, method, path, body):
        address = urlsplit(path)
        room = address.path.split("/")[2]
        if room in ("files", "batches"):
            with self._lock:
                query = {name: values[-1] for name, values in parse_qs(address.query).items()}
                return getattr(self, f"_{room}")(method, address.path.split("/")[3:], query, body)
        route = {
            ("POST", "/v1/chat/completions"): self._chat,
            ("POST", "/v1/responses"): self._responses,
            ("POST", "/v1/embeddings"): self._embeddings,
            ("GET", "/v1/models"): self._models,
        }.get((method, address.path))
        if route is None:
            return _error(404, f"no such address: {method} {path}", "not_found")
        return route(body)

    def _models(self, body):
        return 200, {"object": "list", "data": [_model("test-model"), _model("text-embedding-3-small")]}, {}

    def _chat(self, body):
        choices, n_tokens = [], 0
        for index in range(body.get("n") or 1):
            text = self.reply(body)
            tokens = _tokens(text)
            n_tokens += len(tokens)
            choice = {"index": index, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
            if body.get("logprobs"):
                content = [self._logprobs(token, body.get("top_logprobs") or 0) for token in tokens]
                choice["logprobs"] = {"content": content, "refusal": None}
            choices.append(choice)
        prompt = sum(len(_words(message)) for message in body["messages"])
        usage = {"prompt_tokens": prompt, "completion_tokens": n_tokens, "total_tokens": prompt + n_tokens}
        return 200, {**_head("chat.completion", body), "choices": choices, "usage": usage}, {}

    def _responses(self, body):
        text = self.reply(body)
        part = {"type": "output_text", "text": text, "annotations": []}
        if "message.output_text.logprobs" in (body.get("include") or []):
            part["logprobs"] = [self._logprobs(token, body.get("top_logprobs") or 0) for token in _tokens(text)]
        message = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
        prompt, said = len(_words([body.get("instructions") or "", body["input"]])), len(_tokens(text))
        usage = {
            "input_tokens": prompt,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": said,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": prompt + said,
        }
        more = {"status": "completed", "output": [message], "usage": usage, "parallel_tool_calls": True}
        return 200, {**_head("response", body), **more, "tool_choice": "auto", "tools": [], "error": None}, {}

    def _logprobs(self, token, n_top):
        first = {"token": token, "logprob": math.log(self.probability), "bytes": list(token.encode())}
        other = {"yes": "no", "no": "yes", "Yes": "No", "No": "Yes", "1": "0", "0": "1"}.get(token, "the")
        second = {"token": other, "logprob": math.log1p(-self.probability), "bytes": list(other.encode())}
        return {**first, "top_logprobs": [first, second][:n_top]}

    def _embeddings(self, body):
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        lengths = [len(text.split()) for text in texts]
        if not texts or not all(texts):
            return _error(400, "'input' is empty", "invalid_input")
        if len(texts) > 2048:
            return _error(400, "at most 2048 inputs a request", "array_above_max_length")
        if max(lengths) > self.max_tokens:
            message = f"This model's maximum context length is {self.max_tokens} tokens."
            return _error(400, message, "context_length_exceeded")
        if sum(lengths) > 300_000:
            return _error(400, "at most 300000 tokens a request", "max_tokens_per_request")
        dim = body.get("dimensions") or self.embedding_dim
        if dim > self.embedding_dim:
            return _error(400, f"'dimensions' is at most {self.embedding_dim}", "invalid_dimensions")
        data = []
        for index, text in enumerate(texts):
            vector = embed(text, self.embedding_dim)[:dim]
            as_bytes = body.get("encoding_format") == "base64"
            value = base64.b64encode(vector.tobytes()).decode() if as_bytes else vector.tolist()
            data.append({"object": "embedding", "index": index, "embedding": value})
        usage = {"prompt_tokens": sum(lengths), "total_tokens": sum(lengths)}
        return 200, {"object": "list", "data": data, "model": body["model"], "usage": usage}, {}

    # Files and batches

    def _files(self, method, names, query, body):
        if (method, names) == ("POST", []):
            name, content = body["file"]
            return 200, _shown(self._write(name, content, body["purpose"])), {}
        if (method, names) == ("GET", []):
            purpose = query.get("purpose")
            return _page([f for f in self.files.values() if purpose in (None, f["purpose"])], query, 10_000)
        file = self.files.get(names[0])
        if file is None:
            return _error(404, f"No such File object: {names[0]}", "not_found")
        if (method, names[1:]) == ("GET", ["content"]):
            return 200, file["content"], {"content-type": "application/octet-stream"}
        if method == "DELETE":
            del self.files[file["id"]]
            return 200, {"id": file["id"], "object": "file", "deleted": True}, {}
        return 200, _shown(file), {}

    def _write(self, name, content, purpose):
        file = {
            "id": f"file-{secrets.token_hex(8)}",
            "object": "file",
            "bytes": len(content),
            "created_at": int(time.time()),
            "filename": name,
            "purpose": purpose,
            "status": "processed",
            "content": content,
        }
        self.files[file["id"]] = file
        return file

    def _batches(self, method, names, query, body):
        for batch in self.batches.values():
            self._go_on(batch)
        if (method, names) == ("POST", []):
            return self._create_batch(body)
        if (method, names) == ("GET", []):
            return _page(list(self.batches.values()), query, 20)
        batch = self.batches.get(names[0])
        if batch is None:
            return _error(404, f"No batch found with id '{names[0]}'.", "not_found")
        if (method, names[1:]) == ("POST", ["cancel"]):
            if batch["status"] in ("validating", "in_progress", "finalizing"):
                batch["status"], batch["cancelling_at"] = "cancelling", time.time()
            elif batch["status"] not in ("cancelling", "cancelled"):
                return _error(400, f"Cannot cancel a batch with status '{batch['status']}'.", None)
        return 200, _shown(batch), {}

    def _create_batch(self, body):
        if body["endpoint"] not in ("/v1/chat/completions", "/v1/responses"):
            return _error(400, f"Invalid value: {body['endpoint']}", "invalid_value")
        if body["completion_window"] != "24h":
            return _error(400, "Invalid completion_window", "invalid_value")
        times = ("in_progress_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at")
        batch = {
            "id": f"batch_{secrets.token_hex(8)}",
            "object": "batch",
            "endpoint": body["endpoint"],
            "errors": None,
            "input_file_id": body["input_file_id"],
            "completion_window": "24h",
            "status": "validating",
            "output_file_id": None,
            "error_file_id": None,
            "created_at": time.time(),
            **dict.fromkeys([*times, "cancelled_at"]),
            "request_counts": {"total": 0, "completed": 0, "failed": 0},
            "metadata": body.get("metadata"),
        }
        self.batches[batch["id"]] = batch
        return 200, _shown(batch), {}

    def _go_on(self, batch):
        """Bring a batch to where it is at this time."""
        counts, share = batch["request_counts"], 1.0
        if batch["status"] == "validating":
            code, line = self._validate(batch)
            if code:
                errors = [{"code": code, "message": f"Line 1 is {line}", "param": None, "line": 1}]
                batch.update(status="failed", failed_at=time.time(), errors={"object": "list", "data": errors})
            else:
                batch.update(status="in_progress", in_progress_at=time.time())
                counts["total"] = len(batch["requests"])
        if self.batch_seconds:
            share = min((time.time() - batch["created_at"]) / self.batch_seconds, 1.0)
        if batch["status"] in ("in_progress", "finalizing"):
            if self.batch_expire and share >= 0.5:
                self._end(batch, "expired", 0.5)
            elif share == 1.0:
                self._end(batch, "completed", 1.0)
            else:
                counts["completed"] = int(share * counts["total"])
                batch["status"] = "finalizing" if share >= 0.9 else "in_progress"
        elif batch["status"] == "cancelling":
            self._end(batch, "cancelled", share if share < 1.0 else 0.5)

    def _validate(self, batch):
        """Read the input; return an error's code, or None, and the input's first line."""
        file = self.files.get(batch["input_file_id"])
        if file is None or file["purpose"] != "batch":
            return "invalid_input_file", ""
        batch["requests"] = requests = []
        lines = file["content"].decode().splitlines()
        if not lines or len(lines) > 50_000 or len(file["content"]) > 200_000_000:
            return "too_many_tasks" if lines else "empty_file", ""
        try:
            requests += [json.loads(line) for line in lines]
        except ValueError:
            return "invalid_json_line", lines[0]
        if len({request["custom_id"] for request in requests}) < len(requests):
            return "duplicate_custom_id", lines[0]
        if any((request["method"], request["url"]) != ("POST", batch["endpoint"]) for request in requests):
            return "url_mismatch", lines[0]
        if len({request["body"]["model"] for request in requests}) > 1:
            return "model_mismatch", lines[0]
        others = [b for b in self.batches.values() if b["status"] in ("in_progress", "finalizing")]
        return self.batch_refuse(batch, others) if self.batch_refuse else None, lines[0]

    def _end(self, batch, status, share):
        ask = self._responses if batch["endpoint"] == "/v1/responses" else self._chat
        n_done = int(share * len(batch["requests"]))
        lines = {"output": [], "error": []}
        for i, request in enumerate(batch["requests"]):
            line = {"id": f"batch_req_{i}", "custom_id": request["custom_id"], "response": None, "error": None}
            if i < n_done:
                failure = self.batch_fail(request["body"], i) if self.batch_fail else None
                answer = _error(failure, str(request["body"]), "failed") if failure else None
                code, reply, _ = answer or ask(request["body"])
                line["response"] = {"status_code": code, "request_id": f"req_{i}", "body": reply}
            else:
                line["error"] = {"code": f"batch_{status}", "message": f"This request was not executed: {status}."}
            lines["output" if line["error"] is None and code == 200 else "error"].append(line)
        for kind, some in lines.items():
            if some:
                content = "".join(json.dumps(line) + "\n" for line in reversed(some)).encode()  # the order is not kept
                batch[f"{kind}_file_id"] = self._write(f"{batch['id']}_{kind}.jsonl", content, "batch_output")["id"]
        counts = {"total": len(batch["requests"]), "completed": len(lines["output"]), "failed": len(lines["error"])}
        batch.update({"status": status, f"{status}_at": time.time(), "request_counts": counts})


def _shown(thing):
    """Return a file or a batch as the API shows it."""
    return {
        name: int(value) if isinstance(value, float) else value
        for name, value in thing.items()
        if name not in ("content", "requests")
    }


def _page(things, query, limit):
    """Return one page of a list, the newest first."""
    shown = [_shown(thing) for thing in reversed(things)]
    ids = [thing["id"] for thing in shown]
    start = ids.index(query["after"]) + 1 if "after" in query else 0
    page = shown[start : start + int(query.get("limit", limit))]
    ends = {"first_id": page[0]["id"] if page else None, "last_id": page[-1]["id"] if page else None}
    return 200, {"object": "list", "data": page, **ends, "has_more": start + len(page) < len(shown)}, {}


def default_reply(body):
    """Answer "yes" or "no" by a hash of all the prompt's words."""
    said = json.dumps(body.get("messages") or [body.get("instructions"), body.get("input")], sort_keys=True)
    return ("no", "yes")[hashlib.sha256(said.encode()).digest()[0] % 2]


def embed(text, dim):
    """Return a unit vector of shape (dim,): the sum of one fixed random vector a word."""
    total = np.sum([_word_vector(word, dim) for word in text.split()] or [_word_vector("", dim)], axis=0)
    return (total / np.linalg.norm(total)).astype("<f4")


@lru_cache(maxsize=100_000)
def _word_vector(word, dim):
    return np.random.default_rng(zlib.crc32(word.encode())).standard_normal(dim)


def _tokens(text):
    return text.split() or [""]


def _words(value):
    """Return all the words in a message, wherever its strings are."""
    if isinstance(value, str):
        return value.split()
    if isinstance(value, dict):
        value = value.values()
    return [word for part in value or [] for word in _words(part)] if not isinstance(value, (int, float)) else []


def _head(kind, body):
    stamp = "created_at" if kind == "response" else "created"
    return {"id": f"{kind}-1", "object": kind, stamp: 1_700_000_000, "model": body["model"]}


def _model(name):
    return {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "test"}


def _error(status, message, code):
    kind = "invalid_request_error" if status < 500 else "server_error"
    return status, {"error": {"message": message, "type": kind, "param": None, "code": code}}, {}


def _parse(headers, raw):
    """Return the body of a request: JSON, or the fields of a form, where a file is (name, bytes)."""
    kind = headers.get("content-type", "")
    if not kind.startswith("multipart/form-data"):
        return json.loads(raw) if raw else {}
    form = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + raw, policy=email.policy.HTTP)
    fields = {}
    for part in form.iter_parts():
        value = part.get_payload(decode=True)
        file_name = part.get_filename()
        name = part.get_param("name", header="content-disposition")
        fields[name] = value.decode() if file_name is None else (file_name, value)
    return fields


class _TCPServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 1024


class _Handler(socketserver.StreamRequestHandler):
    """One connection. The HTTP is parsed by hand: the standard handler is too slow for hundreds a second."""

    disable_nagle_algorithm = True

    def setup(self):
        super().setup()
        with self.server.owner._lock:
            self.server.owner._sockets.add(self.request)

    def finish(self):
        with self.server.owner._lock:
            self.server.owner._sockets.discard(self.request)
        super().finish()

    def handle(self):
        try:
            while self._one_request():
                pass
        except OSError:  # the client went away
            pass

    def _one_request(self):
        first = self.rfile.readline().decode("latin-1").split()
        if len(first) != 3:
            return False
        method, path, _ = first
        headers = {}
        while (line := self.rfile.readline().decode("latin-1").strip()) != "":
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        length = int(headers.get("content-length", 0))
        raw = self.rfile.read(length)
        if len(raw) < length:  # the client was killed while it was sending
            return False
        answer = self.server.owner.answer(method, path, headers, _parse(headers, raw))
        if answer == CUT:
            return False
        status, body, extra = answer
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = {"content-type": "application/json", "content-length": len(content), "x-request-id": "1", **extra}
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in head.items()), "", ""]
        self.wfile.write("\r\n".join(lines).encode("latin-1") + content)
        return True

"""The tests' OpenAI-compatible server in a process of its own, and the barest client that can ask it."""

import asyncio
import importlib.util
import json
import multiprocessing
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit


class ServerProcess:
    """Use as a context manager; answers yes or no, or as a request's JSON schema wants it, after `latency` seconds."""

    def __init__(self, latency):
        self.latency = latency

    def __enter__(self):
        context = multiprocessing.get_context("spawn")
        self._pipe, there = context.Pipe()
        self._process = context.Process(target=_serve, args=(there, self.latency), daemon=True)
        self._process.start()
        there.close()  # else a process that died would be waited for
        self.base_url = self._pipe.recv()
        return self

    def __exit__(self, *exc_info):
        self._pipe.close()
        self._process.join()

    def count(self):
        """Return the number of requests received since the last `take`."""
        self._pipe.send("count")
        return self._pipe.recv()

    def take(self):
        """Return the bodies of the requests received since the last `take`."""
        self._pipe.send("take")
        return self._pipe.recv()


def replay(bodies, base_url, n_connections):
    """Post Chat Completions bodies from one event loop, over bare sockets, and read each reply to its end."""
    asyncio.run(_replay([_post(body) for body in bodies], base_url, n_connections))


async def _replay(requests, base_url, n_connections):
    loop = asyncio.get_running_loop()
    todo = iter(requests)
    parts = urlsplit(base_url)

    async def work():
        with socket.socket() as connection:
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await loop.sock_connect(connection, (parts.hostname, parts.port))
            for request in todo:  # one iterator, shared
                await loop.sock_sendall(connection, request)
                await _read_reply(loop, connection)

    async with asyncio.TaskGroup() as group:
        for _ in range(n_connections):
            group.create_task(work())


async def _read_reply(loop, connection):
    reply = b""
    while not (end := re.search(rb"content-length: (\d+)\r\n(?:.+\r\n)*\r\n", reply)) or len(reply) < end.end() + int(
        end[1]
    ):
        received = await loop.sock_recv(connection, 65536)
        if not received:
            raise ConnectionError("The server closed a connection.")
        reply += received
    if b" 200 " not in reply[:16]:
        raise RuntimeError(f"The server answered {reply[:16]!r}.")


def _post(body):
    content = json.dumps(body).encode()
    return b"POST /v1/chat/completions HTTP/1.1\r\nhost: server\r\ncontent-length: %d\r\n\r\n%b" % (
        len(content),
        content,
    )


def _serve(pipe, latency):
    path = Path(__file__).resolve().parents[1] / "tests" / "openai_server.py"
    spec = importlib.util.spec_from_file_location("openai_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def reply(body):
        schema = _answers_wanted(body)
        return module.default_reply(body) if schema is None else json.dumps(dict.fromkeys(schema, "yes"))

    with module.OpenAIServer() as server:
        server.latency, server.reply = latency, reply
        pipe.send(server.base_url)
        while True:
            try:
                command = pipe.recv()
            except EOFError:  # the benchmark has ended
                return
            if command == "count":
                pipe.send(len(server.requests))
            else:
                taken, server.requests = server.requests, []
                pipe.send([request["body"] for request in taken])


def _answers_wanted(body):
    """Return the names in the JSON schema of a Chat Completions body, None without one."""
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    return schema and list(schema["properties"])

"""A small stand-in for the Hugging Face hub, for tests through its real client: repositories of models, in memory."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit


class HubServer:
    """Use as a context manager; it listens on a free port of 127.0.0.1.

    Attributes
    ----------
    endpoint : str
    repositories : dict of str to list of dict
        The commits of each repository, the oldest first, each a dict of file names to bytes.
    private : set of str
        The repositories that were made private.
    messages : list of str
        Those of the commits.
    gated : set of str
        Repositories that nobody may read.
    token : str or None
        The token without which nothing may be written. None: anyone may write.
    downloaded : list of str
        The files that were handed out.
    """

    def __init__(self):
        self.repositories, self.private, self.messages, self.gated = {}, set(), [], set()
        self.token, self.downloaded = None, []

    def __enter__(self):
        hub = self

        class Handler(_Handler):
            server_state = hub

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def files(self, repository, revision="main"):
        """Return the files of a repository, or None where there is no such revision."""
        commits = self.repositories[repository]
        if revision == "main":
            return commits[-1]
        return next((files for i, files in enumerate(commits) if _sha(repository, i) == revision), None)


def _sha(repository, number):
    return hashlib.sha1(f"{repository} {number}".encode()).hexdigest()


def _oid(content):
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = unquote(urlsplit(self.path).path)
        found = re.fullmatch(r"/api/models/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+))?", path)
        if found:
            return self._describe(*found.groups())
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path)
        if found:
            return self._hand_out(*found.groups())
        return self._answer(404)

    do_HEAD = do_GET

    def do_POST(self):
        hub, path = self.server_state, unquote(urlsplit(self.path).path)
        body = self._body()
        if hub.token is not None and self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self._answer(401)
        if path == "/api/validate-yaml":
            return self._answer(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        repository, what = re.fullmatch(r"/api/models/([^/]+/[^/]+)/(preupload|commit)/main", path).groups()
        if what == "preupload":
            names = [file["path"] for file in json.loads(body)["files"]]
            files = [{"path": name, "uploadMode": "regular", "shouldIgnore": False} for name in names]
            return self._answer(200, {"files": files})
        return self._commit(repository, [json.loads(line) for line in body.splitlines()])

    def _describe(self, repository, what, revision):
        hub = self.server_state
        if repository not in hub.repositories:
            return self._answer(404, code="RepoNotFound")
        if repository in hub.gated:
            return self._answer(403, code="GatedRepo")
        files = hub.files(repository, revision or "main")
        if files is None:
            return self._answer(404, code="RevisionNotFound")
        if what == "tree":
            return self._answer(200, [_entry(name, content) for name, content in files.items()])
        siblings = [{"rfilename": name} for name in files]
        sha = _sha(repository, hub.repositories[repository].index(files))
        return self._answer(200, {"id": repository, "sha": sha, "siblings": siblings})

    def _hand_out(self, repository, revision, name):
        hub = self.server_state
        files = hub.files(repository, revision)
        if files is None or name not in files:
            return self._answer(404, code="EntryNotFound")
        if self.command == "GET":
            hub.downloaded.append(name)
        commit = _sha(repository, hub.repositories[repository].index(files))
        headers = {"ETag": f'"{_oid(files[name])}"', "X-Repo-Commit": commit}
        return self._answer(200, files[name], headers=headers)

    def _create(self, wanted):
        hub = self.server_state
        repository = f"{wanted.get('organization') or 'me'}/{wanted['name']}"
        known = repository in hub.repositories
        hub.repositories.setdefault(repository, [{".gitattributes": b""}])
        if not known and wanted.get("visibility") == "private":
            hub.private.add(repository)
        return self._answer(409 if known else 200, {"url": f"{hub.endpoint}/{repository}"})

    def _commit(self, repository, operations):
        hub = self.server_state
        files = dict(hub.repositories[repository][-1])
        for operation in operations:
            value = operation["value"]
            if operation["key"] == "header":
                hub.messages.append(value["summary"])
            elif operation["key"] == "deletedFile":
                del files[value["path"]]
            else:
                files[value["path"]] = base64.b64decode(value["content"])
        hub.repositories[repository].append(files)
        sha = _sha(repository, len(hub.repositories[repository]) - 1)
        answer = {"commitUrl": f"{hub.endpoint}/{repository}/commit/{sha}", "commitOid": sha, "success": True}
        return self._answer(200, answer)

    def _body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline(), 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status, content=b"", *, code=None, headers=None):
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"X-Error-Code": code, "Content-Length": len(body), **(headers or {})}.items():
            if value is not None:
                self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_):
        pass


def _entry(name, content):
    return {"type": "file", "path": name, "size": len(content), "oid": _oid(content)}

"""A stand-in of the Hub's HTTP endpoint: what `huggingface_hub` asks of it for an upload, and a download."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import yaml

SHA = "a" * 40
TOKEN = "hf_test"
TASKS = ("text-to-image", "unconditional-image-generation")


@dataclass
class Hub:
    """Repositories by name, each with its files; `private` of those that were asked to be."""

    repos: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    address: str = ""

    def answer(self, method: str, path: str, token: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        """Status, JSON or bytes, headers."""
        if token != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid user token."}, {}
        if (method, path) == ("POST", "/api/repos/create"):
            return self._create(json.loads(body))
        if (method, path) == ("POST", "/api/validate-yaml"):
            return self._validate(json.loads(body)["content"])
        found = re.fullmatch(rf"/api/models/([^/]+/[^/]+)/(preupload|commit|revision|tree)/(?:main|{SHA})", path)
        if found:
            return getattr(self, f"_{found[2]}")(found[1], body)
        found = re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path)
        if found and found[2] in self.repos.get(found[1], {}):
            data = self.repos[found[1]][found[2]]
            return 200, data, {"ETag": f'"{oid(data)}"', "X-Repo-Commit": SHA}
        return 404, {"error": f"{path}: not found"}, {"X-Error-Code": "RepoNotFound"}

    def _create(self, asked: dict[str, Any]) -> tuple[int, Any, dict[str, str]]:
        owner = asked["organization"]
        if owner != "me":
            return 403, {"error": f'You don\'t have the rights to create a model under the namespace "{owner}"'}, {}
        name = f"{owner}/{asked['name']}"
        self.repos.setdefault(name, {})
        self.private[name] = asked.get("private", False) or asked.get("visibility") == "private"
        return 200, {"url": f"{self.address}/{name}", "name": name}, {}

    def _validate(self, content: str) -> tuple[int, Any, dict[str, str]]:
        head = yaml.safe_load(content.split("---\n")[1])
        wrong = [name for name in ("library_name", "pipeline_tag", "license", "tags") if not head.get(name)]
        wrong += [] if head.get("pipeline_tag") in TASKS else ["pipeline_tag"]
        errors = [{"message": f"{name} is not right"} for name in wrong]
        return 400 if errors else 200, {"errors": errors, "warnings": []}, {}

    def _preupload(self, name: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        files = [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in json.loads(body)["files"]]
        return 200, {"files": files}, {}

    def _commit(self, name: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                self.repos[name][line["value"]["path"]] = base64.b64decode(line["value"]["content"])
        return 200, {"commitUrl": f"{self.address}/{name}/commit/{SHA}", "commitOid": SHA, "success": True}, {}

    def _revision(self, name: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        files = [{"rfilename": path} for path in self.repos[name]]
        return 200, {"id": name, "modelId": name, "sha": SHA, "siblings": files, "tags": [], "private": False}, {}

    def _tree(self, name: str, body: bytes) -> tuple[int, Any, dict[str, str]]:
        files = self.repos[name].items()
        return 200, [{"type": "file", "path": path, "size": len(data), "oid": oid(data)} for path, data in files], {}


def oid(data: bytes) -> str:
    """Git's name of a file's bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def running() -> Iterator[Hub]:
    """The stand-in, at an address of this machine's."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            token = self.headers.get("Authorization", "")
            path = self.path.partition("?")[0]
            status, found, headers = hub.answer("GET" if self.command == "HEAD" else self.command, path, token, body)
            data = found if isinstance(found, bytes) else json.dumps(found).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            if not isinstance(found, bytes):
                self.send_header("Content-Type", "application/json")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        do_GET = do_POST = do_HEAD = _do

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()

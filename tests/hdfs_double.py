"""A test double of WebHDFS: its REST protocol over real HTTP, for one folder of this machine, with faults on demand."""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, unquote, urlsplit


class HdfsDouble(ThreadingHTTPServer):
    """Answers what reading and writing files takes, by redirects as a name node does; anything else is an error."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.asked: list[tuple[str, str]] = []  # (operation, path)
        self.faults: list[str] = []  # of the next answers: `down`, `refused`; empty texts are none
        self.cuts = 0  # so many of the next files arrive in half
        self.is_gateway = False  # which renames without options, and never over a file

    @property
    def url(self) -> str:
        return f"webhdfs://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: HdfsDouble
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        assert url.path.startswith("/webhdfs/v1/"), url.path
        told = {key.lower(): values[0] for key, values in parse_qs(url.query).items()}
        path, operation = unquote(url.path.removeprefix("/webhdfs/v1")), told["op"]
        self.server.asked.append((operation, path))
        fault = self.server.faults.pop(0) if self.server.faults else ""
        found = self.server.folder / path.strip("/")
        if fault == "down":
            self._json(503, {})
        elif fault == "refused":
            self._remote(403, "AccessControlException", "Permission denied: user=etl")
        elif not found.exists():
            self._remote(404, "FileNotFoundException", f"File does not exist: {path}")
        elif operation == "GETFILESTATUS":
            self._json(200, {"FileStatus": _status(found, "")})
        elif operation == "LISTSTATUS":
            inside = sorted(found.iterdir()) if found.is_dir() else [found]
            listed = [_status(each, each.name if found.is_dir() else "") for each in inside]
            self._json(200, {"FileStatuses": {"FileStatus": listed}})
        elif operation == "OPEN" and "node" not in told:
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}{self.path}&node=1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            assert operation == "OPEN", operation
            start = int(told.get("offset", 0))
            content = found.read_bytes()[start : start + int(told.get("length", 2**40))]
            cut = self.server.cuts > 0
            self.server.cuts -= cut
            self._send(200, content, cut=cut)

    def do_PUT(self) -> None:
        self._change()

    def do_POST(self) -> None:
        self._change()

    def do_DELETE(self) -> None:
        self._change()

    def _change(self) -> None:
        url = urlsplit(self.path)
        told = {key.lower(): values[0] for key, values in parse_qs(url.query).items()}
        path, operation = unquote(url.path.removeprefix("/webhdfs/v1")), told["op"]
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((operation, path))
        fault = self.server.faults.pop(0) if self.server.faults else ""
        found = self.server.folder / path.strip("/")
        if fault == "down":
            self._json(503, {})
        elif operation in {"CREATE", "APPEND"} and "node" not in told:
            self.send_response(307)
            self.send_header("Location", f"http://127.0.0.1:{self.server.server_port}{self.path}&node=1")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif operation in {"CREATE", "APPEND"}:
            cut = operation == "APPEND" and self.server.cuts > 0
            self.server.cuts -= cut
            found.parent.mkdir(parents=True, exist_ok=True)
            with found.open("wb" if operation == "CREATE" else "ab") as file:
                file.write(body[: len(body) // 2] if cut else body)
            self._send(201 if operation == "CREATE" else 200, b"")
        elif operation == "MKDIRS":
            found.mkdir(parents=True, exist_ok=True)
            self._json(200, {"boolean": True})
        elif operation == "RENAME":
            to = self.server.folder / told["destination"].strip("/")
            over = told.get("renameoptions") == "OVERWRITE" and not self.server.is_gateway
            if to.exists() and not over:
                self._json(200, {"boolean": False})
            else:
                found.rename(to)
                self._send(200, b"") if over else self._json(200, {"boolean": True})
        else:
            assert operation == "DELETE", operation
            there = found.exists()
            if there:
                found.rmdir() if found.is_dir() else found.unlink()
            self._json(200, {"boolean": there})

    def _send(self, status: int, content: bytes, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        if cut:
            self.close_connection = True

    def _json(self, status: int, body: dict) -> None:
        self._send(status, json.dumps(body).encode())

    def _remote(self, status: int, exception: str, message: str) -> None:
        self._json(status, {"RemoteException": {"exception": exception, "message": message}})

    def log_message(self, *_: object) -> None:
        pass


def _status(path: Path, suffix: str) -> dict:
    found = path.stat()
    kind = "DIRECTORY" if path.is_dir() else "FILE"
    size = 0 if path.is_dir() else found.st_size
    return {
        "pathSuffix": suffix,
        "type": kind,
        "length": size,
        "modificationTime": found.st_mtime_ns // 10**6,
    }


@contextmanager
def hdfs(folder: Path):
    server = HdfsDouble(folder)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

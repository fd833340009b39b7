"""Hashes passwords and compares them: ``POST /hash`` and ``POST /verify``.

``python3 -m service --check`` tries it once, without listening, and says on what it ran.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import bcrypt

LONGEST = 1 << 16
ROUNDS = int(os.environ.get("SERVICE_ROUNDS", "12"))


def answer(path: str, asked: dict[str, str]) -> dict[str, object]:
    """What a request is answered with. Raises ``KeyError`` for what it lacks."""
    password = asked["password"].encode()[:72]  # bcrypt's limit
    if path == "/hash":
        return {"hash": bcrypt.hashpw(password, bcrypt.gensalt(ROUNDS)).decode()}
    return {"same": bcrypt.checkpw(password, asked["hash"].encode())}


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length", 0)), LONGEST)
        try:
            said = json.dumps(answer(self.path, json.loads(self.rfile.read(length)))).encode()
            self.send_response(200)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            said = json.dumps({"error": str(error)}).encode()
            self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(said)


def check() -> None:
    hashed = str(answer("/hash", {"password": "tried once"})["hash"])
    same = answer("/verify", {"password": "tried once", "hash": hashed})["same"]
    other = answer("/verify", {"password": "another", "hash": hashed})["same"]
    if (same, other) != (True, False):
        sys.exit("passwords are not told apart")
    print(f"service works on {platform.machine()} with bcrypt {bcrypt.__version__}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        check()
    else:
        port = int(os.environ.get("PORT", "8080"))
        ThreadingHTTPServer(("", port), Handler).serve_forever()

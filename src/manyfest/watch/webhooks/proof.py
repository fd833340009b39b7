"""Whether a webhook comes from who may send it. Pure; every comparison takes as long whatever is
in it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from manyfest.watch.config.values import Hook

_SIGNATURE = "sha256="


def is_proven(hook: Hook, headers: Mapping[str, str], in_path: str, body: bytes) -> bool:
    """Whether the sender knows the hook's secret. ``headers`` are by names in lower case,
    ``in_path`` is what follows the hook's name in the address.

    GitHub signs the body. The others show the secret: in the ``Authorization`` field, alone or
    after ``Bearer``, or in the address, which is all that Docker Hub and Quay can do.
    """
    secret = hook.secret.reveal().encode()
    if hook.form == "ghcr":
        expected = _SIGNATURE + hmac.new(secret, body, hashlib.sha256).hexdigest()
        return _same(headers.get("x-hub-signature-256", ""), expected.encode())
    shown = headers.get("authorization", "")
    scheme, _, rest = shown.partition(" ")
    if scheme.lower() == "bearer":
        shown = rest.strip()
    by_field, by_path = _same(shown, secret), _same(in_path, secret)
    return by_path if hook.form == "docker-hub" else by_field or by_path


def _same(given: str, expected: bytes) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected)

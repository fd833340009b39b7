"""What registries say when something was pushed. Hints only: the registry is asked what is true."""

from __future__ import annotations

from manyfest.watch.webhooks.receive import routes

__all__ = ["routes"]

"""manyfest: multi-architecture container images, released whole."""

from __future__ import annotations

__version__ = "0.1.0"

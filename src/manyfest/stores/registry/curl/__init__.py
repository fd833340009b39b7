"""Requests over libcurl. Only this folder knows that it is libcurl."""

from __future__ import annotations

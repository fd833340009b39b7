"""The web pages, and what machines ask for over HTTP."""

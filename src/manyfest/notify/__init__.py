"""Telling people something: by Gotify, and by the hundred other services that Apprise knows."""

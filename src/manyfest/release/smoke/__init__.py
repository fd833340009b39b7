"""The smoke test: a command is run in the image of each platform, by a runtime of containers."""

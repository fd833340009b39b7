"""The native builder against real ones: the same Dockerfile, the same image."""

"""``manyfest.yaml``: its shape, how it is read, and what it asks a build for."""

"""A project's releases: from ``manyfest.yaml`` and git to published tags."""

FILE_NAME = "manyfest.yaml"

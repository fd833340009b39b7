"""The rules of :mod:`manyfest.build.dockerfile.warnings`, by what they look at."""

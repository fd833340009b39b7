"""How registries do: from how each request went to what is told of them, drawn and kept.

Pure: what was seen, and when, goes in.
"""

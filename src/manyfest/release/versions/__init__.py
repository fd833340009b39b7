"""Which version this is, and what changed in it: from git and what its tags and commits say."""

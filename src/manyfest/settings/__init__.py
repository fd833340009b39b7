"""Files of settings in YAML, read into values of declared types: every fault has its file, line and
key. :mod:`.document` reads the file, :mod:`.decode` makes values of it."""

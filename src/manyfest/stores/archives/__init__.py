"""Archives of images: read in place by :mod:`.store`, written by :mod:`.writer` and :mod:`.stream`."""

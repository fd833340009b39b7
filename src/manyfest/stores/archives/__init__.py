"""Archives of images: read in place by :mod:`.store`, written by :mod:`.writer`, :mod:`.stream`."""

"""Layers: tar archives, read (:mod:`.read`) and written (:mod:`.write`) in one strict form,
compressed to the same bytes on any machine (:mod:`.compress`, :mod:`.decompress`), and the file
system that they make (:mod:`.tree`)."""

"""Side-by-side measurements against the peers that are installed: ``make bench``."""

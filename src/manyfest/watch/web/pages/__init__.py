"""The public pages: what is complete where, since when, and how it came to be so."""

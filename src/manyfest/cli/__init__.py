"""The command line."""

import gc

# Looking for garbage that often is for programs that run for long: a tenth of the time that
# starting up takes went there, and found nothing.
gc.set_threshold(50_000, 20, 20)

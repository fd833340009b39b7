"""The command line.

:mod:`.commands` lists the verbs; each has a module of its own, and a second one where what it
prints (``check_text``) or does (``index_write``) is much. Every verb is given a :mod:`.session`.
Several share :mod:`.project` and :mod:`.hand_over` (what belongs to a release), :mod:`.platforms`,
:mod:`.readiness_options`, :mod:`.repositories`, :mod:`.sizes` and :mod:`.times` (options),
:mod:`.text`, :mod:`.format` and :mod:`.progress` (what people see).
"""

import gc

# Looking for garbage that often is for programs that run for long: a tenth of the time that
# starting up takes went there, and found nothing.
gc.set_threshold(50_000, 20, 20)

"""Who may do what in which repository.

:mod:`.gate` looks at every request: who sends it, by password (:mod:`.passwords`) or by token
(:mod:`.tokens`, which :mod:`.token_service` gives out), and whether that one has the right
(:mod:`.rights`, which :mod:`.file` reads).
"""

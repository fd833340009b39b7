"""Dockerfiles as values: text in, instructions out, with BuildKit's semantics and no I/O.

::

    text ── lex ──> statements ── parse ──> Dockerfile ── plan ──> Plan ── evaluate ──> Evaluated
            lines, heredocs      typed, in stages        one platform       one stage, expanded
                                         └── check ──> warnings

Errors know the instruction and the word that is wrong, and show both: ``place`` and ``excerpt``.
Reference: the Dockerfile reference of moby/buildkit, ``frontend/dockerfile/docs/reference.md``.
Where that text and BuildKit's behaviour differ, this package does what BuildKit does and says so.
"""

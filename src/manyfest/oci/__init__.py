"""Values and bytes of the OCI specifications and of Docker's schema 2, without I/O.

:mod:`.parse` is lenient and keeps the bytes; :mod:`.validate` and :mod:`.validate_config` report
every fault.
"""

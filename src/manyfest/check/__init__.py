"""What must hold of an image.

Is it right? :mod:`.image` reads every byte of it: its documents (:mod:`.contents`), and for each
platform the layers, programs and entrypoint (:mod:`.platform`).

Is it complete? :mod:`.readiness` asks by HEAD requests, in several places :mod:`.everywhere` does,
and :mod:`.wait` asks again and again until :mod:`.soak` has its answer.
"""

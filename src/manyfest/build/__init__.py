"""A Dockerfile and a folder become an image for each platform; :mod:`.builder` is the way in.

It reads what is asked for (:mod:`.request`, :mod:`.dockerfile`) and has it built natively
(:mod:`.native`), or where there is RUN by buildah, docker or buildctl (:mod:`.backends`). The
native builder carries out each :mod:`.stage`: :mod:`.configure` changes the image's configuration
and :mod:`.copying` its files; :mod:`.layer` writes what changed, and :mod:`.assemble` makes
manifests of it.
"""

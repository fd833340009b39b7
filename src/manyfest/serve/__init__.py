"""The embedded registry: the OCI distribution specification 1.1 over OCI layouts in a folder.

From the outside in: :mod:`server` runs it under granian, :mod:`local` calls it with no network;
:mod:`app` is the ASGI application; :mod:`blobs`, :mod:`manifests` and :mod:`listings` answer its
endpoints; :mod:`content` says what there is to serve,
:mod:`storage` and what it is made of keep it, and :mod:`sources` reads it out of archives.
"""

"""A project's releases: from ``manyfest.yaml`` and git to published tags.

``run.py`` runs the ``steps``. What they are about is in ``project`` (the file), ``versions`` (git),
``tags``, ``smoke``, ``rendezvous`` (platforms built apart), ``resume`` (what earlier runs left),
``published`` (status, rollback) and ``reporting``.
"""

FILE_NAME = "manyfest.yaml"

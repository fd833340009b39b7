"""What only ADD does: archives are unpacked (:mod:`.archive`), and sources that lie elsewhere
(:mod:`.address`) are fetched (:mod:`.fetch`), files by :mod:`.download`, repositories by
:mod:`.git`."""

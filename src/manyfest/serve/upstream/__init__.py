"""Pull-through: a registry's folder that is filled from other registries when it is asked.

:mod:`names` says which repository of which registry a name means, :mod:`cache` is what is served,
:mod:`repository` answers for one repository, :mod:`downloads` brings its blobs and :mod:`eviction`
makes room for them; :mod:`origin` is what is asked of a registry and :mod:`refusals` what is said
when it does not answer.
"""

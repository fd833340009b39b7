"""Long runs that interrupt, corrupt and overload on purpose; ``make chaos`` runs them whole, and
the tests a short form of each."""

"""Docker's daemon, spoken to by its API: where it listens, what it is asked, how it is asked."""

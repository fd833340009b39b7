"""Who may see and change the watch: passwords, tokens, sessions, and what keeps others from using
them. All but :mod:`~manyfest.watch.access.accounts` is pure."""

"""Which tags a release sets, whether they move, and the moving of them."""

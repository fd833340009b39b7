"""``python -m manyfest``."""

from manyfest.cli.main import main

main()

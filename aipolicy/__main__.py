"""``python -m aipolicy``."""

from aipolicy.cli import main

main()

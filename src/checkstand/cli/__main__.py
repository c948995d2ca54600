"""`python -m checkstand.cli`."""

from checkstand.cli import main

main()

"""`python -m gamelake.cli`, for when the script is not on PATH."""

from gamelake.cli.main import main

main()

"""`python -m recjax`."""

from recjax.cli.main import main

if __name__ == "__main__":
    main()

"""`python -m recjax`."""

from recjax.cli import main

if __name__ == "__main__":
    main()

"""`python -m vlaezip` is the command `vlaezip`."""

from vlaezip.cli import main

if __name__ == "__main__":
    main()

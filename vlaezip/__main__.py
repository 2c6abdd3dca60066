"""`python -m vlaezip` is the command `vlaezip`."""

from vlaezip.cli.app import main

if __name__ == "__main__":
    main()

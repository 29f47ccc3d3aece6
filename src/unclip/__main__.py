"""`python -m unclip`: the same as the command `unclip`, where the latter is not on the path."""

from unclip.cli.main import app

if __name__ == "__main__":
    app()

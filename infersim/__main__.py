"""`python -m infersim`: the program `infersim` of this very interpreter, whatever is on the path."""

from infersim.cli.main import run

if __name__ == "__main__":
    run()

"""The command line, whose answers those of the page are compared with."""

from tests.cli.conftest import answered, infersim

__all__ = ["answered", "infersim"]

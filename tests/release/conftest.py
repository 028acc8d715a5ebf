"""The command line of the checkout, whose answers those of the installed program are compared with."""

from tests.cli.conftest import answered, infersim

__all__ = ["answered", "infersim"]

"""How commands are typed: their help, examples, and what is said of a line that cannot be parsed."""

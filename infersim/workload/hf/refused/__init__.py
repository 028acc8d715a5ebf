"""What a config is refused for: architectures out of scope, code of its own, keys that nobody knows."""

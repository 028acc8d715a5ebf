"""infersim: how fast a pruned model will be, how fast it could ever be, and what eats the difference."""

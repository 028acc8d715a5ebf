"""What public functions do with arguments that nobody should give them."""

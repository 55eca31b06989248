"""The second generated world."""

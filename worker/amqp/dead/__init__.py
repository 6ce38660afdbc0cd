"""Dead letters: read without being removed, and sent back to work."""

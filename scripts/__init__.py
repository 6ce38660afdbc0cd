"""What developers run: the local broker, the demo, the set-up. Not part of the package."""

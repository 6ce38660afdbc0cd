"""Tracked messages: looked at again and again, until each has its end."""

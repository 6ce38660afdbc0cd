"""Connections to the broker: opened, supervised, asked within limits, and told why there is none."""

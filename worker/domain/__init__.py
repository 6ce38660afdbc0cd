"""Decisions without I/O: nothing here opens a socket, reads a clock or draws a random number."""

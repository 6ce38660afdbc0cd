"""The command line: a file a command, arguments in and lines out, no logic."""

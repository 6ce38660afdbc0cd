"""Writes the tables of ``docs/crash-table.md`` from the tests."""

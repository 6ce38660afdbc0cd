"""Calls of ITON's Web API: read, claim, call once, record, publish."""

"""What a person at a terminal does: publish jobs, follow results, look at dead letters, check.

The commands of ``worker.cli`` only read arguments and print what these modules return.
"""

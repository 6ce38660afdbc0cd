"""What people would write instead, each as the documentation of its library has it. No guarantees at all.

Every one does the same for a job: ask DND, send, publish the result, acknowledge; for a status job
one lookup.
"""

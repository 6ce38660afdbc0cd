"""Send jobs: from the delivery to every recipient's published outcome."""

"""The worker between a company's services and the ITON SMS gateway."""

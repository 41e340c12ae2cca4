"""The driver's page."""

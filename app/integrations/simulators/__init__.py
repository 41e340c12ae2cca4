"""Neighbours that are simulated: processes of their own with storage of their own, which nobody takes for real ones."""

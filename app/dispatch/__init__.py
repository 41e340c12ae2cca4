"""Advice and dispatch orders, their acknowledgement and effect."""

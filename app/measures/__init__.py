"""What could be done about a risk: acts tried on the corridor now, and what orders brought about."""

"""The state of the corridor now, and the forecast made from it."""

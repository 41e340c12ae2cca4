"""The gates and the corridor that leads to them."""

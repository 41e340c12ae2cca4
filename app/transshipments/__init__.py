"""Goods that change vehicles at the border: registered, approved, carried out exactly as approved."""

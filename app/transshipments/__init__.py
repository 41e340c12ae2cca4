"""Goods that change vehicles at the border; so far their balance, which registration and approval will stand on."""

"""Plate cameras, scales, scanners, seals and barriers: what they report, what they are told."""

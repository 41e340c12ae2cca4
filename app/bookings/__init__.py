"""Places by the hour that enterprises book: held, confirmed, called up, kept."""

"""One record for each crossing, from plan to exit."""

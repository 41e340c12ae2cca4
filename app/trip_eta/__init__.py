"""What lies ahead of a trip: where it is, when it arrives, how long it waits, which yard it gets."""

"""The sheet of a trip: the steps of its procedure, done by the agencies."""

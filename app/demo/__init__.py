"""The demo day: recorded simulated traffic, the people in it, and the process that plays it."""

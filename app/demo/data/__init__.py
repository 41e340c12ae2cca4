"""The recorded demo day and the scripts that made it."""

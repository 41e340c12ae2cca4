"""Who is told what: the list behind the bell, and webhooks."""

"""Following a trip: notifications, webhooks, the public page, time in each step, daily bulletins."""

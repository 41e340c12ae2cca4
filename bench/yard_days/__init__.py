"""Days on which yards run short, and how others than the planner would place the trucks."""

"""The webhooks by which banks and their gateways report transfers."""

"""Who stands where: the ledger of the yards and the plan that matches arrivals to them."""

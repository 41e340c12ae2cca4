"""Who stands where: yard ledgers and the matching of arrivals to yards."""

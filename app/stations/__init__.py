"""What the agencies at a gate work with: their stations, finding a truck, customs' channel, the papers of a step."""

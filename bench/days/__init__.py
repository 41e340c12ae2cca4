"""Fresh days of several kinds, driven by Eclipse SUMO, and what receivers and cameras of the platform see of them."""

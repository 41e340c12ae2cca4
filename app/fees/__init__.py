"""The fee of a trip: what is due, who collects it, how it is paid, receipts and closings."""

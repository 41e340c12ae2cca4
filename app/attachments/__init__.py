"""Papers and photographs kept with a trip's sheet: certificates, invoices, pictures of truck and goods."""

"""The way out: results, parts, copies of deliveries; confirmed and not returned, or an error."""

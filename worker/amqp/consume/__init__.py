"""The way in: deliveries from the work queues, and what becomes of them."""

"""The edge to RabbitMQ: topology, deliveries in, messages out, settlement. Nothing else knows AMQP."""

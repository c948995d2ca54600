"""What `payments.gateway.Gateway` promises, one test each, by subject. The suite has them all."""

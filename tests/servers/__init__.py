"""Real servers for tests: started on loopback, from wheels, on ports that nobody else has."""

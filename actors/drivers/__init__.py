"""What answers completion requests: a script, a function, a route to others."""

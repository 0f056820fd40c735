"""What an agent is: data, rules, the loop."""

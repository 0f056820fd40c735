"""What agents have bought and done, in a file that outlives the process."""

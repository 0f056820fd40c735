"""What a live view is made of: who is let in, what is answered, and the page that asks."""

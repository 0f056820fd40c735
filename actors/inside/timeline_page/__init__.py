"""What the page of a timeline is made of: its data, its markup, its script."""

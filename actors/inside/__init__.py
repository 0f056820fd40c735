"""Ways to look at a pool: a timeline after the run, a page while it runs, spans for whoever collects them."""

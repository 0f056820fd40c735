"""What is agreed on before an agent starts, as data: manifest, settings, grants, what an answer has to be."""

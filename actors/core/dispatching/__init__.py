"""Worker threads that are shared by what has to be run now and then."""

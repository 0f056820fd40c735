"""Progress as people see it: on a terminal, in a notebook, in a pipe. Imported when somebody asks for it."""

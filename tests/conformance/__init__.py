"""Every implementation of a port passes the suite of the port."""

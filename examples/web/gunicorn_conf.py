"""How gunicorn serves `wsgi_app`: two processes, each with threads that wait for the agents of one pool."""

bind = "127.0.0.1:8000"
workers = 2
preload_app = True  # imported once and forked: the pool is made after that, see `the_pool`
worker_class = "gthread"  # a sync worker has one request at a time, and so one agent
threads = 32
graceful_timeout = 10  # seconds that a worker has to finish its requests, at a restart (HUP) and at the end
control_socket_disable = True  # it is a thread of the parent, which forks: that is for processes without threads

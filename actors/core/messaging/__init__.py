"""Queues and addresses: mailboxes, dead letters, the router."""

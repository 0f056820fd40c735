"""The actor layer: mailboxes, futures, threads, cancellation, the supervisor. It knows nothing of models."""

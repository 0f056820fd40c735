"""The edge to model servers: what their bytes mean and what they take, each decided from plain data.

Nothing here waits, connects or knows a package; a test needs bytes and what they have to become.
"""

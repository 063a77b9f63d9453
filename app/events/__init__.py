"""Event streams: clients are told the version of their ledger within 1.5 s of a change.

A stream tells versions only; what changed is in the sync feed. A process of its own, `flask
events`, holds the streams: an event loop for the connections, and threads in which the application
answers the requests, so that authentication, limits and errors are those of the API.
"""

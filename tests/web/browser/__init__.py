"""The web client as people use it: a real browser, server and database."""

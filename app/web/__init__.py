"""The web client: the files of /app/, which run in the browser."""

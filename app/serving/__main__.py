"""Starts gunicorn once the settings are right: `python -m app.serving [gunicorn's options]`.

gunicorn reads some variables when it is imported, in its own way: it fails at the first that it
can't read, with a traceback, and hides all other mistakes.
"""

import os
import sys

from app.config import Config, ConfigError


def main(arguments: list[str]) -> None:
    """Becomes gunicorn; or exits with every mistake in the environment, each with its fix."""
    try:
        Config.from_env(os.environ)
    except ConfigError as error:
        sys.exit(f"The environment has mistakes:\n{error}")
    program = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", *arguments, "wsgi:app"]
    # An empty variable counts as unset; gunicorn itself would fail at an empty WEB_CONCURRENCY.
    environment = {name: text for name, text in os.environ.items() if text}
    os.execve(sys.executable, program, environment)


if __name__ == "__main__":
    main(sys.argv[1:])

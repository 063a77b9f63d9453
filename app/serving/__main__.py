"""Starts gunicorn once the settings are right: `python -m app.serving [gunicorn's options]`.

gunicorn reads some variables when it is imported, in its own way: it fails at the first that it
can't read, with a traceback, and hides all other mistakes.
"""

import os
import sys
from collections.abc import Mapping

from app.config import Config, ConfigError


def main(arguments: list[str]) -> None:
    """Becomes gunicorn; or exits with every mistake in the environment, each with its fix."""
    try:
        config = Config.from_env(os.environ)
    except ConfigError as error:
        sys.exit(f"The environment has mistakes:\n{error}")
    program = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", *arguments, "wsgi:app"]
    os.execve(sys.executable, program, gunicorn_environment(os.environ, config))


def gunicorn_environment(environ: Mapping[str, str], config: Config) -> dict[str, str]:
    """The environment without empty variables, which count as unset, and with what gunicorn reads
    in its spelling."""
    read = {
        "WEB_CONCURRENCY": str(config.web_concurrency),
        "FORWARDED_ALLOW_IPS": ",".join(config.forwarded_allow_ips),
    }
    given = {name: read.get(name, text) for name, text in environ.items()}
    return {name: text for name, text in given.items() if text}


if __name__ == "__main__":
    main(sys.argv[1:])

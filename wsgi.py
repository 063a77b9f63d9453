"""The application that gunicorn and the flask command load."""

import os
import sys
from logging.config import dictConfig

from app import create_app
from app.config import Config, ConfigError
from app.observability import logs

try:
    config = Config.from_env(os.environ)
except ConfigError as error:
    sys.exit(f"The environment has mistakes:\n{error}")
dictConfig(logs.settings(config))
app = create_app(config)

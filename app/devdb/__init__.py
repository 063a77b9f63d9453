"""PostgreSQL for development and tests: started, backed up and stopped by this package."""

from app.devdb.postgres import APPLICATION as APPLICATION
from app.devdb.postgres import DATABASE as DATABASE
from app.devdb.postgres import OWNER as OWNER
from app.devdb.postgres import SUPERUSER as SUPERUSER
from app.devdb.postgres import EmbeddedError as EmbeddedError
from app.devdb.postgres import EmbeddedPostgres as EmbeddedPostgres
from app.devdb.postgres import program as program
from app.devdb.postgres import running_url as running_url
from app.devdb.postgres import start as start

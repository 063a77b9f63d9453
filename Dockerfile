# The service. Migrations are a command of their own:
#   docker run --rm -e MIGRATION_DATABASE_URL=... IMAGE flask db upgrade
# It runs with a read-only root file system: /dev/shm and /tmp are all that it writes to. Migrations
# are noted for LOGNAME, as a number alone has no name.

FROM python:3.13-slim AS build
COPY requirements.txt /build/
RUN python -m venv /opt/ownrow \
    && /opt/ownrow/bin/pip install --no-cache-dir --only-binary :all: --require-hashes -r /build/requirements.txt

FROM python:3.13-slim
ENV PATH=/opt/ownrow/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LOGNAME=ownrow \
    FLASK_APP=wsgi \
    APP_ENV=production \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /srv/ownrow
COPY --from=build /opt/ownrow /opt/ownrow
COPY gunicorn.conf.py wsgi.py ./
COPY specs/openapi.yaml specs/
COPY migrations migrations
COPY sql sql
COPY app app
# The files of a checkout have the modes that its umask left.
RUN chmod -R go+rX . && python -m compileall -q app wsgi.py
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"PORT\"]}/livez', timeout=2)"]
CMD ["python", "-m", "app.serving"]

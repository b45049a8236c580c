# syntax=docker/dockerfile:1
FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md ./
COPY etl_actors etl_actors
COPY config config
RUN python -m venv /opt/etl-actors && /opt/etl-actors/bin/pip install --no-cache-dir '.[parquet,otel]'

FROM python:3.12-slim
# The embedded PostgreSQL wants an account with a name; the service needs no other right.
RUN useradd --system --create-home --home-dir /var/lib/etl-actors --uid 10001 etl-actors
COPY --from=build /opt/etl-actors /opt/etl-actors
ENV PATH=/opt/etl-actors/bin:$PATH ETL_DATA_DIR=/var/lib/etl-actors/data PYTHONUNBUFFERED=1
USER etl-actors
VOLUME /var/lib/etl-actors
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
  CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/healthz', timeout=2)"]
ENTRYPOINT ["etl-actors"]
EXPOSE 8000
# Beyond loopback the service asks for keys; the first one is ETL_ADMIN_KEY, or admin.key in the data folder.
CMD ["serve", "--host", "0.0.0.0"]

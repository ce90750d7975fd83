# A container that a test suite or a CI job can use in the place of the official image.
FROM python:3.13-slim

RUN useradd --system --create-home --home-dir /data redis
COPY . /src
# The context has no tags; a release says which version it is.
ARG VERSION=
RUN SETUPTOOLS_SCM_PRETEND_VERSION="$VERSION" pip install --no-cache-dir '/src[rest]' && rm -rf /src
COPY docker/docker-entrypoint.sh docker/redis-server docker/redis-cli docker/healthcheck /usr/local/bin/

USER redis
WORKDIR /data
VOLUME /data
EXPOSE 6379 8079 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s CMD ["healthcheck"]
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["redis-server"]

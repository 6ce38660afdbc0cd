# Any image of Python 3.11 or newer with a glibc; add @sha256:... where builds must repeat to the byte.
ARG BASE_IMAGE=python:3.13-slim-trixie

FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    UV_COMPILE_BYTECODE=1 \
    UV_LINK_MODE=copy \
    UV_PYTHON_DOWNLOADS=never
WORKDIR /build

COPY requirements/uv.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    python3 -m venv /opt/uv \
    && /opt/uv/bin/pip install --quiet --require-hashes -r requirements/uv.txt

# What changes seldom comes first: a new line of ours downloads nothing again. With what tracing needs.
COPY requirements/otel.txt requirements/
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv venv --quiet --python "$(command -v python3)" /opt/iton-worker \
    && /opt/uv/bin/uv pip sync --quiet --python /opt/iton-worker --require-hashes --no-build requirements/otel.txt

COPY LICENSE README.md pyproject.toml ./
COPY requirements/dev.txt requirements/
COPY schemas schemas
COPY worker worker
# dev.txt holds the version and the hashes of what builds the package.
RUN --mount=type=cache,target=/root/.cache/uv \
    /opt/uv/bin/uv pip install --quiet --python /opt/iton-worker --no-deps --build-constraints requirements/dev.txt .


FROM ${BASE_IMAGE}
# The base brings pip: nothing is to install anything from here on.
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip /usr/local/lib/python3*/site-packages/pip* \
    && install -d -o 10001 -g 10001 /var/lib/iton-worker
# The base brings the standard library uncompiled, and a read-only container would compile it at each start.
RUN python3 -m compileall -q --invalidation-mode unchecked-hash \
        -x '/(test|tests|idlelib|lib2to3|tkinter|turtledemo|site-packages|dist-packages)/' \
        "$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"
COPY --from=build /opt/iton-worker /opt/iton-worker
ENV PATH=/opt/iton-worker/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1
RUN iton-worker --version

ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="iton-worker" \
      org.opencontainers.image.description="A RabbitMQ worker for the ITON SMS gateway" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

USER 10001:10001
# The default ledger is a file in the working directory: give that a volume that outlives the container. None is
# made by itself: the memory of what was sent would go with the container, and nobody would notice.
WORKDIR /var/lib/iton-worker
EXPOSE 8080
ENTRYPOINT ["iton-worker"]
CMD ["run"]

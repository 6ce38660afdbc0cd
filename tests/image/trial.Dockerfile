# Stands in for the images of compose.yaml where no registry is reached: the same programs, by Debian.
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS programs
RUN apt-get -qq -o Acquire::Check-Valid-Until=false update \
    && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends \
        prometheus rabbitmq-server redis-server wget \
    && cd /tmp && apt-get -qq download docker-compose && dpkg-deb -x docker-compose_*.deb /opt/compose \
    && rm -rf /tmp/*.deb /var/lib/apt/lists

FROM programs AS broker
RUN echo '[rabbitmq_management,rabbitmq_prometheus].' > /etc/rabbitmq/enabled_plugins
CMD ["rabbitmq-server"]

FROM programs AS ledger
# The official image lets other containers in.
RUN printf '#!/bin/sh\nexec /usr/bin/redis-server "$@" --protected-mode no\n' > /usr/local/bin/redis-server \
    && chmod +x /usr/local/bin/redis-server

FROM programs AS prometheus
ENTRYPOINT ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]

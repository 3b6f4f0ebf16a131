# The same steps as the Makefile's, without the development tools. The compile cache is made at
# build time; on a processor other than the builder's, numba compiles anew at the first start.
FROM python:3.11.14-slim-bookworm

ENV PYTHONUNBUFFERED=1 \
    SI_CACHE_DIR=/opt/si/cache \
    PATH=/opt/si/.venv/bin:$PATH

WORKDIR /opt/si
COPY pyproject.toml requirements.lock README.md LICENSE ./
COPY engine engine
COPY gateway gateway
COPY refdata refdata
COPY bench bench

RUN python3 -m venv .venv \
    && .venv/bin/python -m pip install -q --no-cache-dir -c requirements.lock setuptools \
    && .venv/bin/python -m pip install -q --no-cache-dir -c requirements.lock \
        --no-build-isolation --editable . \
    && useradd --system --create-home --shell /usr/sbin/nologin si \
    && mkdir cache data \
    && chown si:si cache data

USER si
RUN si warm

WORKDIR /opt/si/data
VOLUME /opt/si/data
EXPOSE 9878
ENTRYPOINT ["si"]
CMD ["demo"]

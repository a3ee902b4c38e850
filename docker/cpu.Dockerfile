# Apprentice on a processor: docker build -f docker/cpu.Dockerfile -t apprentice . && docker run -it -v "$PWD/runs:/apprentice/runs" apprentice
FROM python:3.12-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends make git libegl1 libgl1-mesa-dri libosmesa6 libx11-6 \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /apprentice
COPY requirements.lock pyproject.toml .python-version Makefile README.md LICENSE NOTICE ./
COPY source source
COPY config config
RUN pip install --no-cache-dir uv && make setup
ENV PATH="/apprentice/.venv/bin:$PATH"
CMD ["apprentice", "demo"]

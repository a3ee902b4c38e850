# Apprentice beside Isaac Sim, for a machine with an NVIDIA RTX GPU. Written to NVIDIA's instructions for Isaac Lab 3.0; it
# has not been built or run by us, for want of such a machine. You accept NVIDIA's licence by building it.
#   docker build --build-arg ISAACSIM_IMAGE=... -f docker/isaacsim.Dockerfile -t apprentice-isaacsim .
#   docker run --gpus all -e ACCEPT_EULA=Y -it apprentice-isaacsim apprentice doctor
# the image of Isaac Sim 6.2 that NVIDIA's instructions name
ARG ISAACSIM_IMAGE
FROM ${ISAACSIM_IMAGE}
USER root
ENV ACCEPT_EULA=Y PRIVACY_CONSENT=N
WORKDIR /apprentice
COPY . .
# Isaac Sim brings its own Python 3.12, torch and asset converter: install beside them, Robomimic without egl-probe
RUN /isaac-sim/python.sh -m pip install --no-cache-dir . \
    && /isaac-sim/python.sh -m pip install --no-cache-dir --no-deps robomimic==0.3.0
ENTRYPOINT []
CMD ["/isaac-sim/python.sh", "-m", "apprentice", "doctor"]

# Separating alone, without TensorFlow, with the model inside:
#   docker build -t tfwavesep .
#   docker run --rm --network none -u "$(id -u):$(id -g)" -v "$PWD:/music" tfwavesep separate song.mp3 -o stems
FROM python:3.12-slim AS build
COPY . /source
RUN python -m venv /opt/tfwavesep && /opt/tfwavesep/bin/pip install --no-cache-dir /source

FROM python:3.12-slim
COPY --from=build /opt/tfwavesep /opt/tfwavesep
RUN useradd --create-home --uid 1000 listener
USER 1000
WORKDIR /music
ENTRYPOINT ["/opt/tfwavesep/bin/tfwavesep"]
CMD ["--help"]

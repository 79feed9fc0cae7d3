#!/bin/sh
# Separate a short WAV (16-bit PCM, at the model's rate) with curl, jq and base64 alone: no Python, no NumPy.
#   separate_wav.sh song.wav http://localhost:8501/v1/models/default
# writes song.vocals.wav and so on.
set -eu
song=$1
url=$2
answer=$(base64 -w 0 "$song" |
    jq -R '{signature_name: "separate_wav", inputs: {wav_bytes: [{b64: .}]}}' |
    curl -sS -d @- "$url:predict")
printf '%s\n' "$answer" |
    jq -r '.error // (.outputs | to_entries[] | .key + " " + .value[0].b64)' |
    while read -r name samples; do
        [ "${name%_bytes}" != "$name" ] || { echo "$name $samples" >&2; exit 1; }
        echo "$samples" | base64 -d > "${song%.wav}.${name%_bytes}.wav"
    done

"""The released models; installed as `tfwavesep_saved_models`, each with its `config.json` and `model.tflite`."""

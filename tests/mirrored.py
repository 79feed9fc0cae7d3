"""Train on the devices given: `mirrored.py COUNT WORKDIR DATA`, COUNT logical CPUs that stand for GPUs."""

import sys
from pathlib import Path

import tensorflow as tf

count, workdir, root = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
listed = tf.config.list_logical_devices
tf.config.list_logical_devices = lambda kind=None: listed("CPU" if kind == "GPU" else kind)

from tfwavesep import training  # noqa: E402  (TensorFlow is told of the devices before it starts)
from tfwavesep.config import load_preset, override  # noqa: E402

changes = ("training.epochs=2", "training.steps_per_epoch=5", "training.batch_size=4", "data.target_length=2000")
preset = override(load_preset("tiny"), [*changes, "training.average=0.8", "training.weight_decay=0.01"])
training.train(preset, root, workdir, report=lambda line: None)
print(f"replicas {training._strategy().num_replicas_in_sync}")

"""Train on the devices given: `mirrored.py COUNT WORKDIR DATA`, COUNT logical CPUs that stand for GPUs."""

import sys
from pathlib import Path

CHANGES = (
    *("training.epochs=2", "training.steps_per_epoch=5", "training.batch_size=4", "data.target_length=2000"),
    *("training.average=0.8", "training.weight_decay=0.01"),
)


def main(count: int, workdir: Path, root: Path) -> None:
    """TensorFlow is told of the devices before anything makes it start."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    listed = tf.config.list_logical_devices
    tf.config.list_logical_devices = lambda kind=None: listed("CPU" if kind == "GPU" else kind)

    from tfwavesep.config import load_preset, override
    from tfwavesep.training import fit, gpus

    fit.train(override(load_preset("tiny"), CHANGES), root, workdir, report=lambda line: None)
    print(f"replicas {gpus.strategy().num_replicas_in_sync}")


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))

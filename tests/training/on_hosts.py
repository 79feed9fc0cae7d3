"""Train as one of several machines, the environment says which: `on_hosts.py WORKDIR DATA [EPOCHS]`, of two."""

import sys
from pathlib import Path

CHANGES = (
    *("training.epochs=2", "training.steps_per_epoch=5", "training.batch_size=4", "data.target_length=2000"),
    *("training.average=0.8", "training.weight_decay=0.01"),
)


def main(workdir: Path, root: Path, stop: int | None = None) -> None:
    """Go on with what is there; be interrupted after so many epochs."""
    import keras

    from tfwavesep.config import load_preset, override
    from tfwavesep.training import fit

    class Interruption(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if epoch + 1 == stop:
                sys.exit()

    callbacks = fit._callbacks
    fit._callbacks = lambda *arguments: [*callbacks(*arguments), Interruption()]
    fit.train(override(load_preset("tiny"), CHANGES), root, workdir, resume=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))

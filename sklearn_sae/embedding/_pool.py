"""A sentence-transformers model in one process for each of several devices."""

from sklearn_sae.utils._device import check_device


class Pool:
    """The processes, which start when there are texts for more than one and run until `close`.

    Parameters
    ----------
    devices : list of str
        The device of each process.

    Raises
    ------
    ValueError
        If there are none, or one of them cannot be used here.
    """

    def __init__(self, devices):
        if not devices or not all(isinstance(device, str) for device in devices):
            raise ValueError(
                f"device must be a name or a list of names, such as ['cuda:0', 'cuda:1']; got {devices!r}."
            )
        self._devices = [str(check_device(device)) for device in devices]
        self._model = self._processes = None

    def encode(self, model, texts, batch_size, **options):
        """Return the vectors of `texts`; each process takes the next `batch_size` of them when it is free."""
        if self._processes is None and len(texts) <= batch_size:
            return model.encode(texts, device=self._devices[0], batch_size=batch_size, **options)
        if self._processes is None:
            self._model, self._processes = model, model.start_multi_process_pool(self._devices)
        try:
            return model.encode(texts, pool=self._processes, chunk_size=batch_size, batch_size=batch_size, **options)
        except RuntimeError as error:
            if all(process.is_alive() for process in self._processes["processes"]):
                raise
            raise RuntimeError(
                f"A process that embeds on one of the devices {', '.join(self._devices)} has ended: killed for its "
                'memory, perhaps. In a script, what embeds stands below if __name__ == "__main__", because the '
                "processes import the script."
            ) from error

    def close(self):
        """Stop the processes, if they were started."""
        if self._processes is not None:
            self._model.stop_multi_process_pool(self._processes)
            self._processes = None

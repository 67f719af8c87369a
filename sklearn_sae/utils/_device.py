"""Which device torch works on."""


def check_device(device, *, name="device"):
    """Return `device` as a torch.device, or say that it cannot be used.

    Parameters
    ----------
    device : str or torch.device
        "auto" is the first GPU where there is one, else the CPU.
    name : str, default="device"
        The parameter that holds it, to name in an error.

    Raises
    ------
    ValueError
    """
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        checked = torch.device(device)
        torch.empty(0, device=checked)
    except (AssertionError, RuntimeError, NotImplementedError) as error:
        why = str(error).splitlines()[0].rstrip(".")
        raise ValueError(f"{name}={str(device)!r} cannot be used here ({why}); pass 'auto' or 'cpu'.") from None
    return checked


def free_memory(device):
    """Return the bytes of memory that are free on a CUDA device; 0 for other devices."""
    import torch

    return torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else 0

"""Which device torch works on, and with how many threads in a forked process."""

import os
import sys
from traceback import walk_stack

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline


def _one_thread():
    """Let torch compute in one thread, if it is loaded."""
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_num_threads(1)


# A forked process has none of the threads of OpenMP that its parent has used. If torch counted on them, the process
# would wait for them forever. The processes of a pool together would also use more threads than there are cores.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_one_thread)


def check_device(device, *, name="device"):
    """Return `device` as a torch.device, or say that it cannot be used and which call of `set_params` helps.

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
        why = _why_not(checked)
    except (AssertionError, RuntimeError, ImportError):  # torch says so with all of them, and its sentences are long
        why = "torch knows no such device, or is built without it"
    if why is not None:
        raise ValueError(f"{name}={str(device)!r} cannot be used here ({why}); {_what_helps(name, device)}.")
    return checked


def _why_not(device):
    """Return why there is no such device on this machine, or None."""
    import torch

    if device.type == "cuda":
        n_gpus = torch.cuda.device_count()
        if not n_gpus:
            return "torch finds no GPU" if torch.backends.cuda.is_built() else "torch is built without CUDA"
        if device.index is not None and device.index >= n_gpus:
            return "the only GPU is cuda:0" if n_gpus == 1 else f"the GPUs are cuda:0 to cuda:{n_gpus - 1}"
    if device.type == "mps" and not torch.backends.mps.is_available():
        return "torch finds no GPU of Apple's"
    if device.type == "meta":
        return "it holds no numbers"
    torch.empty(0, device=device)
    return None


def _what_helps(name, device):
    """Return, in words, which call of `set_params` helps.

    Only the outermost estimator that is at work knows by which names a parameter of its parts is set, and it is found
    in the stack, because a part does not know what it is a part of.
    """
    at_work = [
        (frame.f_locals["self"], frame.f_code.co_name)
        for frame, _ in walk_stack(None)
        if isinstance(frame.f_locals.get("self"), BaseEstimator)
    ]
    if not at_work:
        return "pass 'auto' or 'cpu'"
    part, (whole, _) = at_work[0][0], at_work[-1]
    params = whole.get_params()
    # What is fitted inside `fit` may be a clone, for which the parameters stand. Elsewhere a part that is no parameter
    # is a clone that was fitted before, which the parameters do not change.
    if any(value is part for value in (whole, *params.values())) or any(do.startswith("fit") for _, do in at_work):
        names = [key for key, value in params.items() if key.split("__")[-1] == name and _names(value, device)]
    else:
        names = []
    whole, names = (whole, names) if names else (part, [name])
    arguments = ", ".join(f'{key}="auto"' for key in names)
    call = f"set_params({arguments})"
    return f"call pipeline.{call}" if isinstance(whole, Pipeline) else f"call {call} of the {type(whole).__name__}"


def _names(value, device):
    """Return whether a parameter is this device, or a list that holds it."""
    return str(device) in map(str, value if isinstance(value, list) else [value])


def free_memory(device):
    """Return the bytes of memory that are free on a CUDA device; 0 for other devices."""
    import torch

    return torch.cuda.mem_get_info(device)[0] if torch.device(device).type == "cuda" else 0

"""The keys of a store, which are hashes of all that a value depends on."""

import hashlib
from pathlib import Path


def digest(*parts):
    """Return the 32-byte SHA-256 of `parts` (str or bytes), each preceded by its length."""
    sha = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        sha.update(len(data).to_bytes(8, "little"))
        sha.update(data)
    return sha.digest()


def path_fingerprint(path):
    """Return a str that changes when a file, or a file in a folder, does.

    It holds the real path, and the name, size and time of each file.
    """
    path = Path(path).resolve()
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
    return repr([str(path), *((str(p.relative_to(path)), p.stat().st_size, p.stat().st_mtime_ns) for p in files)])

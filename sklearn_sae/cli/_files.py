"""What may be written where."""

import os


def check_files(read, written):
    """Refuse to write over a file that is read, or to write two things to one file.

    Parameters
    ----------
    read : list of str
    written : dict of str to (str or None)
        From option to file.
    """
    taken = {os.path.realpath(file): "is read" for file in read if file != "-"}
    for option, file in written.items():
        if file is None:
            continue
        place = os.path.realpath(file)
        if place in taken:
            raise ValueError(f"{option} names {file}, which {taken[place]} too; name another file.")
        taken[place] = "is written"

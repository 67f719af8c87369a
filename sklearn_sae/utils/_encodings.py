"""From the bytes of a file to its text."""

import re

_MARKS = {  # what a file may begin with, the longest first
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
# The encodings that are guessed among, since a guess among all is worse.
_ENCODINGS = ["cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1256", "gb18030", "big5", "shift_jis", "euc_kr"]
_GUESSED_FROM = 200_000  # bytes
_ZEROS = 0.2  # of the bytes in even or in odd places: in UTF-16 without a mark, Latin letters have one each
_FEW_STRAY = 0.2  # so many bytes that are not UTF-8, for each letter that is, are a fault and no other encoding

# The letters beyond a to z of the languages that are written in each encoding, by which the three are told apart.
_ALPHABETS = {
    "cp1252": "àâæçéèêëîïôœùûüÿ áéíñóúü¡¿ªº àáâãçéêíóôõúªº àèéìíòóùú äöüß åäöé æøåé ëïéèöü àçèéíïòóúü áðéíóúýþæö",
    "cp1250": "ąćęłńóśźż áčďéěíňóřšťúůýž áäčďéíĺľňóôŕšťúýž áéíóöőúüű ăâîşţ čćđšž",
    "cp1254": "çğıöşüâîû",
}
_USUAL = re.compile("[\x00-\x7f\u2010-\u203a€£§°©®·«»´\xa0\u0307]+")  # in all languages


def decode(data, name, encoding):
    """Return the text of a file, and notes on how it was decoded.

    Parameters
    ----------
    data : bytes
    name : str
        What to call the file in a note.
    encoding : str or None
        A mark at the beginning goes before it.

    Returns
    -------
    text : str
    notes : list of str
        One if the encoding is a guess.

    Raises
    ------
    ValueError
        If the bytes are no text in the encoding.
    """
    marked = next((code for mark, code in _MARKS.items() if data.startswith(mark)), None)
    if marked is None and encoding is None and b"\0" in data:
        marked = _utf_16(data[:_GUESSED_FROM])
    given = marked or encoding
    try:
        return data.decode(given or "utf-8"), []
    except LookupError:
        raise ValueError(f"there is no encoding {given!r}.") from None
    except UnicodeDecodeError as error:
        if marked is not None:
            raise ValueError(f"it begins as {marked.upper()} and goes on as something else.") from None
        if encoding is not None:
            line = data[: error.start].count(b"\n") + 1
            raise ValueError(f"line {line} is not in {encoding}; name another with --encoding.") from None
    return _with_stray_bytes(data, name) or _guessed(data, name)


def _utf_16(data):
    """Return the UTF-16 that bytes without a mark are in, or None."""
    for first, code in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[first::2].count(0) > _ZEROS * len(data):
            return code
    return None


def _with_stray_bytes(data, name):
    """Return the text and a note if all but a few bytes are UTF-8, else None."""
    text = data.decode("utf-8", errors="surrogateescape")
    stray = re.findall("[\udc80-\udcff]", text)
    n_letters = sum(len(found) for found in re.findall("[^\x00-\x7f\udc80-\udcff]+", text))
    if len(stray) > _FEW_STRAY * n_letters:
        return None
    line = text[: text.index(stray[0])].count("\n") + 1
    mended = re.sub("[\udc80-\udcff]", _as_cp1252, text)
    return mended, [f"{name} has {len(stray):,} bytes that are not UTF-8, the first in line {line}; read as cp1252."]


def _as_cp1252(match):
    return bytes([ord(match.group()) - 0xDC00]).decode("cp1252", errors="replace")


def _guessed(data, name):
    from charset_normalizer import from_bytes

    guess = from_bytes(data[:_GUESSED_FROM], cp_isolation=_ENCODINGS).best()
    code = "cp1252" if guess is None else guess.encoding
    if code in _ALPHABETS:
        code = _latin(data[:_GUESSED_FROM])
    code = next(one for one in (code, "cp1252", "latin-1") if _fits(data, one))  # the last one fits all bytes
    return data.decode(code), [
        f"{name} is not in UTF-8 and was read as {code}, which is a guess; --encoding names another."
    ]


def _fits(data, code):
    try:
        data.decode(code)
    except UnicodeDecodeError:
        return False
    return True


def _latin(data):
    """Return the encoding by which most letters are those of one language."""

    def most(code):
        letters = _USUAL.sub("", data.decode(code, errors="replace").lower())
        return max(
            sum(map(letters.count, set(alphabet))) / max(1, len(letters)) for alphabet in _ALPHABETS[code].split()
        )

    return max(_ALPHABETS, key=most)  # the first of equals

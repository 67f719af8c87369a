"""The encodings of files."""

import pytest

from sklearn_sae.utils._encodings import decode

TEXTS = {
    ("french", "cp1252"): "Très déçu, le service était extrêmement lent. Ça ne vaut vraiment pas le prix élevé. ",
    ("spanish", "cp1252"): "¡No vuelvo más! El señor no volvió y la comida llegó fría. ¿Qué pasó aquí? ",
    ("portuguese", "cp1252"): "A comida não estava boa e os preços são altíssimos. Não recomendo a ninguém. ",
    ("swedish", "cp1252"): "Maten var kall. Vi väntade länge på förrätten, och ölen var dålig också. ",
    ("danish", "cp1252"): "Tjeneren var uhøflig. Vi ventede længe på vores øl, og så kom vi aldrig igen. ",
    ("german", "cp1252"): "Das Essen war kühl. Für den Preis erwarte ich größere Portionen. ",
    ("english", "cp1252"): "It wasn’t bad — “okay” at best, and the café around the corner is better. ",
    ("polish", "cp1250"): "Obsługa była nieuprzejma. Czekaliśmy godzinę, nigdy więcej tu nie przyjdę. Żałuję. ",
    ("czech", "cp1250"): "Jídlo bylo studené a obsluha nepříjemná. Už nikdy nepřijdeme. ",
    ("hungarian", "cp1250"): "Az étel hideg volt. Egy órát vártunk az előételre, soha többé nem jövünk vissza. ",
    ("turkish", "cp1254"): "Yemek soğuktu ve servis çok yavaştı. Garson da çok kabaydı. İyi değil. ",
    ("russian", "cp1251"): "Обслуживание было медленным, а еда холодной. Больше сюда не придём никогда. ",
    ("greek", "cp1253"): "Το φαγητό ήταν κρύο και η εξυπηρέτηση πολύ αργή. Δεν θα ξαναπάμε ποτέ εκεί. ",
    ("chinese", "gb18030"): "服务员态度很差，等了一个小时才上菜，菜已经凉了。以后再也不来这家餐厅了。",
    ("taiwanese", "big5"): "服務員態度很差，等了一個小時才上菜，菜已經涼了。以後再也不來這家餐廳了。",
    ("japanese", "shift_jis"): "店員の態度がとても悪くて、料理も冷めていました。もう二度と行きません。",
    ("korean", "euc_kr"): "직원 태도가 아주 나빴고 음식도 차가웠어요. 다시는 가지 않을 겁니다.",
}


@pytest.mark.parametrize(("language", "encoding"), TEXTS)
def test_an_encoding_is_guessed_and_said(language, encoding):
    text = TEXTS[language, encoding] * 5
    found, (note,) = decode(text.encode(encoding), "old.csv", None)
    assert found == text
    assert note.startswith("old.csv is not in UTF-8 and was read as ")
    assert note.endswith("which is a guess; --encoding names another.")
    assert decode(text.encode(encoding), "old.csv", encoding) == (text, [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(encoding):
    text = "text,stars\n" + "Très bien,4\n" * 20
    assert decode(text.encode(encoding), "old.csv", None) == (text, [])


def test_a_few_stray_bytes_do_not_spoil_the_rest():
    """One line was pasted in from a file in another encoding."""
    lines = ["„Schön“ – für die Größe"] * 20
    data = "\n".join(lines).encode() + b"\nein Caf\xe9\n"
    text, (note,) = decode(data, "mixed.csv", None)
    assert text.split("\n")[:-1] == [*lines, "ein Café"]
    assert note == "mixed.csv has 1 bytes that are not UTF-8, the first in line 21; read as cp1252."


@pytest.mark.parametrize(
    ("data", "encoding", "message"),
    [
        (b"\xff\xfea", None, "begins as UTF-16 and goes on as something else"),
        (b"a\nb\xe9\n", "utf-8", "line 2 is not in utf-8; name another"),
        (b"a", "no-such", "there is no encoding 'no-such'"),
    ],
)
def test_what_cannot_be_decoded_is_one_sentence(data, encoding, message):
    with pytest.raises(ValueError, match=message):
        decode(data, "a.csv", encoding)

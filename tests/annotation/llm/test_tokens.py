"""How near the estimate of tokens comes to the tokenizer of OpenAI's models, in many scripts."""

import pytest

from sklearn_sae.annotation.llm._tokens import count_tokens

# Of one review in many languages, to which the weights were not fitted: how many tokens o200k_base makes of it.
TEXTS = [
    (
        "English",
        "The parcel arrived two weeks late and the box was crushed, b"
        "ut customer service replied within minutes and sent a replac"
        "ement free of charge. I have ordered again since then.",
        33,
    ),
    (
        "German",
        "Das Paket kam zwei Wochen zu spät an und der Karton war zerd"
        "rückt, aber der Kundendienst antwortete innerhalb weniger Mi"
        "nuten und schickte kostenlos Ersatz. Seitdem habe ich wieder"
        " bestellt.",
        40,
    ),
    (
        "Chinese",
        "包裹晚到了两个星期,箱子也压坏了,不过客服几分钟之内就回复了,还免费补发了一个。从那以后我又买过好几次,质量一直很好。",
        46,
    ),
    (
        "Japanese",
        "荷物は二週間遅れて届き、箱もつぶれていましたが、カスタマーサービスは数分で返信をくれて、無料で交換品を送ってくれました。"
        "それ以来また注文しています。",
        48,
    ),
    (
        "Russian",
        "Посылка пришла на две недели позже, коробка была помята, но "
        "служба поддержки ответила за несколько минут и бесплатно при"
        "слала замену. С тех пор я заказывал ещё раз.",
        43,
    ),
    (
        "Arabic",
        "وصل الطرد متأخرا أسبوعين وكان الصندوق مكسورا، لكن خدمة العمل"
        "اء ردت خلال دقائق وأرسلت بديلا مجانا. ومنذ ذلك الحين طلبت مر"
        "ة أخرى.",
        41,
    ),
    (
        "emoji",
        "📦😡 two weeks late 😤😤 but support was great 🙌🙌 replacement came 🎁 thanks!! ❤️🥳",
        28,
    ),
    (
        "Korean",
        "소포가 이 주나 늦게 도착했고 상자도 찌그러져 있었지만 고객센터가 몇 분 만에 답을 주고 무료로 교환해 주었"
        "습니다.",
        40,
    ),
    (
        "Thai",
        "พัสดุมาถึงช้าสองสัปดาห์และกล่องก็บุบ แต่ฝ่ายบริการลูกค้าตอบกลับภายในไม่กี่นาทีและส่งของใหม่ให้ฟรี",
        41,
    ),
    (
        "Hindi",
        "पार्सल दो हफ़्ते देर से आया और डिब्बा टूटा हुआ था, लेकिन ग्राहक सेवा ने कुछ ही मिनटों में जवाब दिया और मुफ़्त में नया भेज दिया।",
        42,
    ),
    (
        "JSON",
        '{"parcel": 7731, "late_days": 14, "box": "crushed", "replies": [{"minutes": 3, "free": true}]}',
        37,
    ),
]


@pytest.mark.parametrize(("text", "n_tokens"), [(text, n) for _, text, n in TEXTS], ids=[name for name, *_ in TEXTS])
def test_within_a_quarter_in_every_script(text, n_tokens):
    assert count_tokens(text) == pytest.approx(n_tokens, rel=0.25)
    assert count_tokens(text * 50) == pytest.approx(50 * count_tokens(text), rel=0.02)


def test_the_counts_above_are_those_of_the_tokenizer():
    tiktoken = pytest.importorskip("tiktoken")
    try:
        tokenizer = tiktoken.get_encoding("o200k_base")
    except OSError:
        pytest.skip("tiktoken cannot load its tokenizer here")
    assert [len(tokenizer.encode(text)) for _, text, _ in TEXTS] == [n for *_, n in TEXTS]


def test_a_text_without_characters():
    assert count_tokens("") == 0
    assert count_tokens("\ud800") == 0

"""Texts as the reader sees them."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sklearn_sae.pretrained._tokens import _tokenize_guarded, find_frame, pad, tokenize_texts, words_of_tokens

CONTROLS = ["<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
PLAIN = "{{ 'Text: ' + messages[0]['content'] + ' End' }}"  # a template without control tokens
words = st.text(st.characters(codec="utf-8", exclude_characters="<|"), min_size=1).filter(lambda text: text.strip())
fixture_is_not_changed = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def llama(llama_reader):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(llama_reader)


@pytest.fixture(scope="module")
def gpt2(gpt2_reader):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(gpt2_reader)


@pytest.fixture(scope="module")
def bert(tiny_sentence_transformer):
    """Letters as tokens, between [CLS] and [SEP]; texts are put in small letters without accents."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_sentence_transformer)


@pytest.fixture(scope="module")
def roberta(gpt2_reader):
    """A byte-level BPE between <s> and </s>, of which spans begin behind a space."""
    import tokenizers
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    backend = tokenizers.Tokenizer.from_str(AutoTokenizer.from_pretrained(gpt2_reader).backend_tokenizer.to_str())
    backend.add_special_tokens(["<s>", "</s>"])
    marks = [(token, backend.token_to_id(token)) for token in ("</s>", "<s>")]
    backend.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.post_processor = tokenizers.processors.RobertaProcessing(*marks, trim_offsets=True)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


@pytest.fixture(scope="module")
def xlm_roberta():
    """A Unigram model between <s> and </s>, which marks the start of a word; texts are in Unicode form NFKC."""
    import tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = [(letter, -3.0) for letter in "▁abcdefghijklmnopqrstuvwxyz"]
    backend = tokenizers.Tokenizer(
        tokenizers.models.Unigram([("<s>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *letters, ("▁the", -1.0)], 2)
    )
    backend.normalizer = tokenizers.normalizers.NFKC()
    backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    backend.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


@pytest.fixture(params=["bert", "roberta", "xlm_roberta", "gpt2", "llama"])
def any_tokenizer(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def own(llama_reader):
    """A tokenizer that a test may change."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(llama_reader)


def read_one(text, tokenizer, **options):
    ((window,),) = tokenize_texts([text], tokenizer, **options)
    return window


def pieces(text, window):
    return [text[start:end] for start, end in window.spans[window.kept]]


@pytest.mark.parametrize("template", [None, "auto"])
@pytest.mark.parametrize(("prepend_bos", "n_before"), [(None, 0), (False, 0), (True, 1)])
def test_gpt2_gets_a_bos_only_if_asked_and_it_is_not_kept(gpt2, template, prepend_bos, n_before):
    text = "the soup was cold"
    window = read_one(text, gpt2, chat_template=template, prepend_bos=prepend_bos)
    assert window.ids == [gpt2.bos_token_id] * n_before + gpt2(text)["input_ids"]
    assert not window.kept[:n_before].any()
    assert window.kept[n_before:].all()
    assert "".join(pieces(text, window)) == text


@pytest.mark.parametrize(("prepend_bos", "n_before"), [(None, 1), (False, 0), (True, 1)])
def test_llamas_own_bos_comes_once_or_not_at_all(llama, prepend_bos, n_before):
    window = read_one("the soup", llama, chat_template=None, prepend_bos=prepend_bos)
    assert window.ids.count(llama.bos_token_id) == n_before
    assert window.kept.sum() == len(window.ids) - n_before


@pytest.mark.parametrize(("prepend_bos", "n"), [(None, 0), (False, 0), (True, 1)])
def test_a_template_writes_its_own_bos_or_gets_one(llama, prepend_bos, n):
    own_bos = read_one("the soup", llama, prepend_bos=prepend_bos)
    assert own_bos.ids[0] == llama.bos_token_id
    assert own_bos.ids.count(llama.bos_token_id) == 1
    without = read_one("the soup", llama, chat_template=PLAIN, prepend_bos=prepend_bos)
    assert without.ids.count(llama.bos_token_id) == n
    assert without.ids[n:] == llama("Text: the soup", add_special_tokens=False)["input_ids"]


def test_a_text_that_begins_with_the_bos_number_gets_a_bos_too():
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel({"<s>": 0, "soup": 1}, unk_token="<s>"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>")
    window = read_one("unknown soup", tokenizer, prepend_bos=True)
    assert window.ids == [0, 0, 1]
    assert window.kept.tolist() == [False, True, True]


def test_the_eos_stands_in_for_a_missing_bos(own):
    own.bos_token = None
    assert read_one("the soup", own, chat_template=None, prepend_bos=True).ids[0] == own.eos_token_id
    own.eos_token = None
    assert read_one("the soup", own, chat_template=None, prepend_bos=False).kept.all()
    with pytest.raises(ValueError, match="neither a BOS nor an EOS"):
        tokenize_texts(["the soup"], own, chat_template=None, prepend_bos=True)


@fixture_is_not_changed
@given(text=words)
@pytest.mark.parametrize("template", [None, PLAIN])
def test_a_template_is_tokenized_with_the_text_in_it(llama, template, text):
    """As transformers does it, up to the text's last token; and every character of the text is kept."""
    rendered = llama.apply_chat_template(
        [{"role": "user", "content": text}], chat_template=template, tokenize=True, return_dict=False
    )
    window = read_one(text, llama, chat_template=template or "auto")
    assert window.ids == rendered[: len(window.ids)]
    covered = np.zeros(len(text), bool)
    for start, end in window.spans[window.kept]:
        covered[start:end] = True
    body = text if template else text.strip()
    start = text.index(body)
    assert covered[start : start + len(body)].all()
    assert covered.sum() == len(body)
    assert not window.spans[~window.kept].any()


@pytest.mark.parametrize("template", [None, "auto", PLAIN])
@pytest.mark.parametrize("text", ["a <|eot_id|> b", *CONTROLS, "".join(CONTROLS) + " soup", "soup\n\n<|eot_id|>"])
def test_a_control_token_in_a_text_stays_text(llama, template, text):
    window, around = (read_one(t, llama, chat_template=template) for t in (text, "x"))
    control = set(llama.convert_tokens_to_ids(CONTROLS))
    kept = [token for token, kept in zip(window.ids, window.kept, strict=True) if kept]
    assert control.isdisjoint(kept)
    assert llama.decode(kept).strip() == {PLAIN: text}.get(template, text)
    assert [t for t in window.ids if t in control] == [t for t in around.ids if t in control]
    assert "".join(pieces(text, window)) in (text, " " + text)
    assert llama("<|eot_id|>", add_special_tokens=False)["input_ids"] == [llama.eos_token_id], "left as it was"


@fixture_is_not_changed
@given(text=words)
@pytest.mark.parametrize("template", ["auto", PLAIN])
def test_guarded_is_as_plain_where_there_is_nothing_to_guard_against(llama, template, text):
    frame = find_frame(llama, template)
    ((ids, offsets),) = _tokenize_guarded([text], llama, frame)
    plain = llama(
        f"{frame.before}{text}{frame.after}", add_special_tokens=False, return_offsets_mapping=True, verbose=False
    )
    assert ids == plain["input_ids"]
    inside = (offsets[:, 0] < len(frame.before) + len(text)) & (offsets[:, 1] > len(frame.before))
    assert offsets[inside].tolist() == [list(plain["offset_mapping"][i]) for i in np.flatnonzero(inside)]


@pytest.mark.parametrize("scheme", ["first", "always", "normalizer"])
def test_guarded_where_a_texts_start_is_marked(own, scheme):
    """In the way of SentencePiece: "first" marks the start of the whole, not of what follows a control token."""
    import tokenizers

    backend = tokenizers.Tokenizer(tokenizers.models.Unigram([("<unk>", 0.0), *((c, -1.0) for c in "▁abc<>|ut/sr")], 0))
    if scheme == "normalizer":  # as in Llama 2
        n = tokenizers.normalizers
        backend.normalizer = n.Sequence([n.Prepend("▁"), n.Replace(" ", "▁"), n.Lowercase()])
    else:
        backend.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(prepend_scheme=scheme)
    backend.add_special_tokens(["<s>", "</s>"])
    own = type(own)(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")
    own.chat_template = "<s>us{{ messages[0]['content'] }}</s>"
    frame = find_frame(own)
    for text in ("ab c", " a"):
        ((ids, _),) = _tokenize_guarded([text], own, frame)
        assert ids == own(f"<s>us{text}</s>", add_special_tokens=False)["input_ids"]
    window = read_one("a</s>b", own)
    assert [own.decode([t]) for t in np.array(window.ids)[window.kept]] == list("a</s>b")


def test_a_guard_that_is_in_the_text_is_not_used(llama):
    text = "\ue000guard\ue000 <|eot_id|>"
    window = read_one(text, llama)
    assert max(window.ids) < len(llama)
    assert "\ue000" in pieces(text, window)


@pytest.mark.parametrize(
    ("template", "strips"),
    [("<{{ messages[0]['content'] }}>", False), ("<{{ messages[0]['content'] | trim }}>", True)],
)
def test_a_template_that_strips_is_followed(llama, template, strips):
    assert find_frame(llama, template) == ("<", ">", strips)
    text = "  the soup\n"
    window = read_one(text, llama, chat_template=template)
    assert "".join(pieces(text, window)).lstrip("<").rstrip(">") == (text.strip() if strips else text)
    assert llama.decode(window.ids).startswith("<the" if strips else "<  the")


@pytest.mark.parametrize(
    "template",
    [
        "{{ messages[0]['content'] | upper }}",
        "{{ messages[0]['content'] | e }}",
        "{{ messages[0]['content'] | tojson }}",
        "{{ messages[0]['content'] | replace('\n', ' ') }}",
        "{{ messages[0]['content'].lstrip() }}",
        "{{ messages[0]['content'] }}{{ messages[0]['content'] }}",
        "nothing",
    ],
)
def test_a_template_that_changes_the_text_is_refused(llama, template):
    with pytest.raises(ValueError, match="The chat template changes the text"):
        tokenize_texts(["the soup"], llama, chat_template=template)


@pytest.mark.parametrize(
    "template",
    ["{{ raise_exception('only system messages') }}", "{% if %}", "{{ messages[3]['content']['x'] }}"],
)
def test_a_template_that_refuses_the_role_is_refused(llama, template):
    with pytest.raises(ValueError, match=r"The chat template refuses .*'user'.* pass chat_template=None"):
        tokenize_texts(["the soup"], llama, chat_template=template)


@pytest.mark.parametrize("template", [None, "auto"])
def test_a_text_beyond_max_length_is_cut(llama, template):
    text = "the soup was cold and the waiter was kind " * 5
    whole = read_one(text, llama, chat_template=template)
    for max_length in (len(whole.ids) - 1, 20):
        window = read_one(text, llama, chat_template=template, max_length=max_length)
        assert window.cut
        assert window.ids == whole.ids[:max_length]
        assert window.kept.tolist() == whole.kept[:max_length].tolist()
        assert window.spans.tolist() == whole.spans[:max_length].tolist()
    fits = read_one(text, llama, chat_template=template, max_length=len(whole.ids))
    assert not fits.cut
    assert fits.ids == whole.ids


@fixture_is_not_changed
@given(data=st.data(), text=words, template=st.sampled_from([None, "auto"]))
def test_windows_keep_every_token_once(llama, data, text, template):
    whole = read_one(text, llama, chat_template=template)
    n_head = int(np.flatnonzero(whole.kept)[0])
    room = data.draw(st.integers(1, 12))
    overlap = data.draw(st.integers(0, room - 1))
    (windows,) = tokenize_texts([text], llama, chat_template=template, max_length=n_head + room, overlap=overlap)
    head, tokens = whole.ids[:n_head], whole.ids[n_head:]
    position = 0
    for window in windows:
        assert len(window.ids) <= n_head + room
        assert len(window.ids) == len(window.kept) == len(window.spans)
        assert not window.cut
        start = position - (overlap if position else 0)
        assert window.ids == head + tokens[start : start + room]
        n_kept = window.kept.sum()
        assert n_kept > 0
        assert window.kept[-n_kept:].all()
        assert window.spans[window.kept].tolist() == whole.spans[n_head:][position : position + n_kept].tolist()
        position += n_kept
    assert position == len(tokens)


@fixture_is_not_changed
@given(data=st.data(), text=words)
def test_windows_of_an_encoder_keep_every_token_once_and_amid_its_context(roberta, data, text):
    whole = read_one(text, roberta, is_causal=False)
    assert whole.ids == roberta(text, split_special_tokens=True)["input_ids"]
    # Beside <s> and </s>, white space at either end may have tokens of its own, of no width.
    n_head, last, n = *np.flatnonzero(whole.kept)[[0, -1]], whole.kept.sum()
    head, tokens, tail = whole.ids[:n_head], whole.ids[n_head : last + 1], whole.ids[last + 1 :]
    assert n == len(tokens)
    assert set(roberta.convert_ids_to_tokens(head + tail)) <= {"<s>", "</s>", "Ġ"}
    n_around = len(head) + len(tail)
    room = data.draw(st.integers(1, 12))
    overlap = data.draw(st.integers(0, room - 1))
    (windows,) = tokenize_texts([text], roberta, max_length=room + n_around, overlap=overlap, is_causal=False)
    position = 0
    for window in windows:
        assert len(window.ids) == len(window.kept) == len(window.spans) == min(room, n) + n_around
        assert not window.cut
        places = np.flatnonzero(window.kept) - n_head
        start = position - places[0]
        assert window.ids == head + tokens[start : start + room] + tail
        assert (np.diff(places) == 1).all()
        stop = position + len(places)
        assert window.spans[window.kept].tolist() == whole.spans[whole.kept][position:stop].tolist()
        assert not window.spans[~window.kept].any()
        assert start == 0 or places[0] >= overlap // 2
        assert stop == n or room - 1 - places[-1] >= overlap // 2
        position = stop
    assert position == n


def test_an_encoders_text_that_is_cut_keeps_its_end_token(bert):
    text = "the soup was cold"
    window = read_one(text, bert, max_length=5, is_causal=False)
    assert window.cut
    assert bert.convert_ids_to_tokens(window.ids) == ["[CLS]", "t", "##h", "##e", "[SEP]"]
    assert "".join(pieces(text, window)) == "the"
    with pytest.raises(ValueError, match="leaves no room for the text: 2 tokens stand around it;"):
        tokenize_texts([text], bert, max_length=2, is_causal=False)


def test_an_encoders_special_tokens_in_a_text_are_text(bert):
    text = "[CLS] a [SEP][MASK]"
    window = read_one(text, bert, is_causal=False)
    assert [i for i, token in enumerate(window.ids) if token in bert.all_special_ids] == [0, len(window.ids) - 1]
    assert "".join(pieces(text, window)) == "[CLS]a[SEP][MASK]"


# In each, words are told apart by spaces.
HARD = [
    "Café cafe\u0301 naïve ÅNGSTRÖM Straße İstanbul",
    "ﬁne ½ kg №5 ｗｉｄｅ",
    "ok 👩‍👩‍👧 👍🏽 🇩🇪 1️⃣ ok",
    "你好世界 世界 すし ไทย नमस्ते",
    "  the\n\nsoup\t was \u00a0 cold  ",
    "x\u0000y a\u200db \ufeffbom",
    "don't e-mail: <b>[SEP]</b> ok",
]


@pytest.mark.parametrize("text", HARD)
def test_a_tokens_span_tells_its_word(any_tokenizer, text):
    window = read_one(text, any_tokenizer, chat_template=None, is_causal=False)
    spans = window.spans[window.kept]
    words = np.array([match.span() for match in re.finditer(r"[^ \n\t\u00a0]+", text)])
    places = words_of_tokens(spans, words)
    for (start, end), place in zip(spans, places, strict=True):
        piece = text[start:end].strip()
        if piece and place >= 0:
            assert piece in text[slice(*words[place])]
            assert words[place, 0] <= end - len(piece)
        else:
            assert not piece
    assert (np.diff(spans[:, 0]) >= 0).all()
    assert set(places[places >= 0]) == set(range(len(words))), "each word has a token"


def test_a_character_of_several_tokens(gpt2):
    text = "so 👍 good"
    window = read_one(text, gpt2)
    thumb = [i for i, (start, end) in enumerate(window.spans) if "👍" in text[start:end]]
    assert len(thumb) > 1
    assert {text[slice(*window.spans[i])].strip() for i in thumb} == {"👍"}
    places = words_of_tokens(window.spans, [(0, 2), (3, 4), (5, 9)])
    assert places[thumb].tolist() == [1] * len(thumb)


def test_the_word_of_a_token_is_the_one_it_has_most_of():
    words = [(1, 3), (3, 7), (9, 12)]
    spans = [(0, 1), (0, 3), (2, 6), (1, 5), (5, 5), (6, 11), (7, 9), (8, 10), (12, 15)]
    assert words_of_tokens(spans, words).tolist() == [-1, 0, 1, 0, -1, 2, -1, 2, -1]
    assert words_of_tokens(spans, []).tolist() == [-1] * 9
    assert words_of_tokens([], words).tolist() == []


def test_a_bos_that_the_tokenizer_has_but_does_not_add(gpt2):
    """As SmolLM2's, which is no EOS."""
    import copy

    tokenizer = copy.deepcopy(gpt2)
    tokenizer.add_special_tokens({"bos_token": "<|im_start|>"})
    assert tokenizer.bos_token_id != tokenizer.eos_token_id
    for chat_template in (None, "auto"):
        window = read_one("<|im_start|> soup", tokenizer, chat_template=chat_template, prepend_bos=True)
        assert window.ids.count(tokenizer.bos_token_id) == 1
        assert window.ids[0] == tokenizer.bos_token_id
        assert window.kept.tolist() == [False] + [True] * (len(window.ids) - 1)


def test_max_length_leaves_room_for_the_text(llama):
    with pytest.raises(ValueError, match=r"max_length=4 leaves no room for the text: [0-9]+ tokens stand before it;"):
        tokenize_texts(["the soup"], llama, max_length=4)
    with pytest.raises(ValueError, match="leaves no room for the text: 1 tokens stand before it and overlap=5;"):
        tokenize_texts(["the soup"], llama, chat_template=None, max_length=6, overlap=5)


def test_what_cannot_be_read_is_said(llama, own):
    with pytest.raises(ValueError, match="SimpleNamespace is a slow one"):
        tokenize_texts(["the soup"], SimpleNamespace(is_fast=False))
    import tokenizers

    own.backend_tokenizer.normalizer = tokenizers.normalizers.Replace("\u200b", "")
    own.bos_token = own.eos_token = None
    with pytest.raises(ValueError, match=r"nor an EOS token; pass as tokenizer one whose bos_token is set"):
        tokenize_texts(["soup"], own, chat_template=None, prepend_bos=True)
    with pytest.raises(ValueError, match="row 7 has no token"):
        tokenize_texts(["soup", "\u200b\u200b"], own, chat_template=None, row_of=lambda i: i + 6)


def test_what_the_tokenizer_was_told_before_is_of_no_account(own):
    text = "the soup was cold"
    expected = read_one(text, own, chat_template=None)
    own.backend_tokenizer.enable_truncation(2)
    own.backend_tokenizer.enable_padding(length=50)
    assert read_one(text, own, chat_template=None).ids == expected.ids
    assert own.chat_template is not None


@pytest.mark.parametrize("side", ["left", "right"])
def test_pad(own, side):
    own.padding_side = side
    texts = ["the soup was cold", "x", "a waiter was kind"]
    windows = [window for (window,) in tokenize_texts(texts, own)]
    ids, mask = pad(windows, own)
    longest = max(len(window.ids) for window in windows)
    assert ids.shape == mask.shape == (3, longest)
    assert ids.dtype == mask.dtype
    assert str(ids.dtype) == "torch.int64"
    assert ids[mask.bool()].tolist() == [token for window in windows for token in window.ids]
    for row, window in enumerate(windows):
        n = len(window.ids)
        place = slice(longest - n, None) if side == "left" else slice(n)
        assert ids[row, place].tolist() == window.ids
        assert mask[row].sum() == n

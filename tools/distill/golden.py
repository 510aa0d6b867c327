"""Writes what the reference tokenizer and numpy make of some hundred texts, for
the Go tests to compare with.

    python golden.py

The reference is Hugging Face's tokenizers, put together as
BertWordPieceTokenizer(lowercase=True) is, but without its added tokens: a text that
spells "[CLS]" is text.
"""

import json
import pathlib
import random

import numpy as np
from tokenizers import BertWordPieceTokenizer, Tokenizer, models, normalizers, pre_tokenizers

import table

WRITTEN = [
    "",
    " ",
    "\t\r\n\u00a0\u3000\u2028",
    "a",
    ".",
    "Hello, world!",
    "How do I locate my card?",
    "I am STILL waiting on my card???",
    "The quick brown fox jumps over the lazy dog.",
    "unaffable unbelievably internationalization antidisestablishmentarianism",
    "don't can't y'all it's o'clock rock'n'roll",
    "well-known state-of-the-art re-enter --flag -x",
    "3.14159 1,000,000 10% $5.99 £20 €3 ¥500 #1 1st 2nd 12:30 2026-11-24 +49 (0)30 123456",
    "user@example.com https://example.org/a/b?c=d&e=f#g",
    "C++ C# .NET node.js R&D A/B AT&T",
    "[CLS] [SEP] [MASK] [PAD] [UNK] [unused1] ##ing ## # [cls]",
    # accents, composed and not
    "café naïve résumé Ångström São Paulo Zürich Dvořák Łódź Škoda smörgåsbord",
    "cafe\u0301 nai\u0308ve re\u0301sume\u0301 A\u030angstro\u0308m",
    "Việt Nam Tiếng Việt Nguyễn Ði Ơn Ư",
    "İstanbul ISPARTA ığdır I\u0307 ı",
    "Straße GROẞ ﬁne ﬂow ﬃ ŉ ǆ Ǆ ǅ ﬆ",
    "Ὀδυσσεύς ΑΣ ΣΊΣΥΦΟΣ σς ά ΐ ᾳ",
    "Z̷͔͝a̶l̵g̸o̴ t̸e̶x̵t̷ ẗ̶́̈h̵a̶t̴ n̸e̶v̷e̴r̵ e̶n̷d̸s̴",
    "a\u0300\u0316\u0301b \u0301 \u0301\u0302 e\u20dd x\u0338",
    "≠ ≮ ≯ ∄ ⩝̸",
    # emoji, ZWJ, selectors, flags, skin tones
    "😀 😂 lol 🤣🤣🤣",
    "I ❤️ you ❤ \u2764\ufe0e",
    "👨‍👩‍👧‍👦 family 👩🏽‍💻 coder 🏳️‍🌈 flag",
    "🇩🇪🇫🇷🇺🇸 1️⃣2️⃣#️⃣ ™ ® ©",
    "great😀job👍🏿nice",
    "\u200d\u200d\ufe0f a\u200db c\u200bd e\u2060f \ufeffg",
    # CJK
    "你好,世界!我是一个学生。",
    "東京タワーに行きました。カタカナ ひらがな ｶﾀｶﾅ ＦＵＬＬ",
    "がぎぐげご ガギグゲゴ か\u3099 は\u309a",
    "한국어 텍스트 안녕하세요 각 갂 힣 가",
    "\u1100\u1161\u11a8 \u1112\u1175\u11c2",
    "ab中cd文ef 豈更車 \u2f800\u2fa1d \U0002f800 \U00020000 \U0002a6df \U0002b740 \U0002b920 \U00030000",
    "〇 々 〆 ヶ 「日本」『語』【括弧】…、。・〜",
    "㈱ ㍿ ㎏ ① Ⅳ ⅷ ½ ²³",
    # other scripts
    "Привет, мир! Ёлка йод Й и\u0306 ЩУКА",
    "مرحبا بالعالم، كيف حالك؟ السَّلَامُ عَلَيْكُمْ",
    "שלום עולם! בְּרֵאשִׁית \u200fRTL\u200e \u202babc\u202c",
    "नमस्ते दुनिया क्षत्रिय की कि हिन्दी १२३",
    "สวัสดีชาวโลก ภาษาไทย",
    "বাংলা ভাষা தமிழ் తెలుగు ಕನ್ನಡ മലയാളം ਪੰਜਾਬੀ ગુજરાતી සිංහල",
    "ქართული ᲥᲐᲠᲗᲣᲚᲘ Հայերեն հայերեն ᏣᎳᎩ ꮳꮃꭹ",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 𝓯𝓪𝓷𝓬𝔂 𝟏𝟐𝟑 𐐀𐐨 𞤀𞤢",
    "ʻokina ʼn ˈstrɛs ŋ ɐʇ ʰʷ ǃXóõ",
    # control and odd characters
    "a\x00b\x01c\x07d\x1be\x7ff\x80g\x9fh",
    "line one\nline two\r\nline three\ttabbed\x0bvertical\x0cfeed\x85next",
    "\ufffd replaced \ufffd\ufffd x\ufffdy",
    "\ue000 private \uf8ff \U000f0000 \U0010fffd \ufdd0 \uffff",
    "soft\u00adhyphen non\u2011breaking fig\u2012dash en\u2013dash em\u2014dash",
    "\u2018single\u2019 \u201cdouble\u201d \u00abguillemets\u00bb \u201elow\u201c \u2039x\u203a",
    "\u2000\u2001\u2002\u2009\u202f\u205f thin spaces\u1680ogham\u180emongolian",
    "`~!@#$%^&*()_+-={}[]|\\:\";'<>?,./",
    "^ ` ~ | + = < > $ ¢ ¬ ¦ § ¶ · ¿ ¡ ° ± × ÷",
    "\U0001f600\U0001f9d1\U0001fae8 \U0001fbf0 \u1c89 \ua7cb \ua7dc \u0e31 \u1e00\u1eff",
    # long words
    "x" * 99 + " " + "x" * 100 + " " + "x" * 101,
    "a" * 5000,
    "é" * 100 + " " + "é" * 101 + " " + "e\u0301" * 100,
    "ö" * 50 + "漢" + "ö" * 101 + ".",
    "한" * 33 + " " + "각" * 33 + "가가 " + "각" * 34,
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "pneumonoultramicroscopicsilicovolcanoconiosis floccinaucinihilipilification",
    "supercalifragilisticexpialidocious" * 3,
    "honorificabilitudinitatibus😀" * 6,
    "the " * 300,
    "!" * 700,
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab",
    # code
    "def f(x: int) -> str:\n    return f\"{x!r:>{width}}\" if x else None  # comment",
    "for (int i = 0; i < n; ++i) { a[i] |= (b[i] << 3) & 0xFFu; } // C",
    "SELECT COUNT(*) FROM users WHERE name LIKE '%o''brien%' AND age >= 18;",
    '{"key": [1, 2.5e-3, null, true], "nested": {"a": "\\u00e9\\n"}}',
    "<div class=\"a b\">&nbsp;&lt;p&gt;</div><!-- x -->",
    "func (e *Encoder) Encode(dst []float32, text string) []float32",
    "npm i -g @scope/pkg@^1.2.3 && cat ~/.bashrc | grep -E '^alias' > /dev/null 2>&1",
    "0x1F 1e10 0b1010 1_000 v1.2.3-rc.4+build 192.168.0.1 fe80::1 a3f5c9d2e8b7",
    "camelCase snake_case SCREAMING_CASE kebab-case PascalCase XMLHttpRequest",
    "@user #hashtag RT @other: so happy rn!!! :) :-( ;D <3 xoxo",
    "FREE entry!! Txt WIN to 80086 now, 18+ T&C's apply, £1.50/msg",
    "asdfghjkl qwertyuiop zxcvbnm hjklöä xqzjv",
]
WORDS = "the of card transfer happy angry bank weather in at music play would unhappiness tokenization xyzzy Ünïcode 12 7.5 don't e-mail".split()
BLOCKS = [
    (0x00, 0x80), (0x80, 0x250), (0x250, 0x370), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE00), (0xE00, 0x1200),
    (0x1AB0, 0x1B00), (0x1E00, 0x2000), (0x2000, 0x2C00), (0x3000, 0x3400), (0x4E00, 0x4F00), (0xAC00, 0xD7A4),
    (0xF900, 0x10000), (0x10000, 0x11000), (0x1D100, 0x1D800), (0x1F000, 0x1FB00), (0x2F800, 0x2FA20), (0xE0000, 0xE0200),
]  # fmt: skip


def drawn(rng, n):
    """Texts of common words and characters from everywhere, side by side."""
    for _ in range(n):
        parts = []
        for _ in range(rng.randrange(1, 25)):
            if rng.random() < 0.4:
                parts.append(rng.choice(WORDS))
            else:
                first, end = rng.choice(BLOCKS)
                parts.append("".join(chr(rng.randrange(first, end)) for _ in range(rng.randrange(1, 6))))
            if rng.random() < 0.6:
                parts.append(" ")
        yield "".join(parts)


def write(path, rows):
    path.parent.mkdir(exist_ok=True)
    with open(path, "w", encoding="ascii") as f:
        for row in rows:
            f.write(json.dumps(row) + "\n")
    print(path.name, len(rows), "texts")


def main():
    folder = pathlib.Path(__file__).resolve().parents[2] / "encode/text"
    words, vectors = table.load(folder / "static/table.bin")
    vocabulary = {w: i for i, w in enumerate(words)}
    reference = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=100))
    reference.normalizer = normalizers.BertNormalizer(lowercase=True)
    reference.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    whole = BertWordPieceTokenizer(vocabulary, lowercase=True)

    texts = WRITTEN + list(drawn(random.Random(1), 400))
    encoded = [reference.encode(t) for t in texts]
    ids = [e.ids for e in encoded]
    for t, i in zip(texts, ids):
        assert "[" in t or whole.encode(t, add_special_tokens=False).ids == i, t
    spans = [[len(t[:at].encode()) for span in e.offsets for at in span] for t, e in zip(texts, encoded)]
    rows = [{"text": t, "ids": i, "spans": s} for t, i, s in zip(texts, ids, spans)]
    write(folder / "wordpiece/testdata/golden.jsonl", rows)

    mean = np.fromfile(folder / "static/mean.bin", "<f4").astype(np.float64)
    rows = []
    for t, i in list(zip(texts, ids))[: len(WRITTEN) + 20]:
        v = vectors[i].astype(np.float64).sum(0) if i else np.zeros(vectors.shape[1])
        if known := v.any():
            v = v / np.linalg.norm(v) - mean
            v /= np.linalg.norm(v)
        rows.append({"text": t, "vector": [round(float(x), 5) for x in v] if known else []})
    write(folder / "static/testdata/golden.jsonl", rows)


if __name__ == "__main__":
    main()

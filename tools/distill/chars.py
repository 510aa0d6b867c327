"""Writes what BERT's tokenizer does to every character, as the reference
implementation does it, to encode/text/wordpiece/chars.txt.

    python chars.py

The reference mixes the Unicode versions of several libraries, so asking it is the
only way to agree with it; and a table of our own stays as it is when Go's moves on.
"""

import hashlib
import pathlib

from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer

SURROGATES = range(0xD800, 0xE000)
HANGUL = range(0xAC00, 0xD7A4)  # syllables decompose by arithmetic, which the reader does
HEADER = """# What BERT's uncased tokenizer does to each character. Written by tools/distill/chars.py.
# FIRST[-LAST] and one of
#   drop   it vanishes
#   space  it ends a word
#   alone  it is a word of its own
#   +N -N  it becomes the character N further on
#   > X Y  it becomes these characters
#   = X    it becomes X, which is a word of its own
# Characters that are not listed stay; Hangul syllables (AC00-D7A3) fall into letters.
"""

normalizer = BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=None, lowercase=True)
pre_tokenizer = BertPreTokenizer()


def words(text):
    return [w for w, _ in pre_tokenizer.pre_tokenize_str(normalizer.normalize_str(text))]


def action(c):
    got = words("a" + chr(c) + "b")
    if got == ["ab"]:
        return "drop"
    if got == ["a", "b"]:
        return "space"
    if got == ["a", chr(c), "b"]:
        return "alone"
    if len(got) == 3 and got[0] == "a" and got[2] == "b" and len(got[1]) == 1:
        return f"= {ord(got[1]):04X}"
    assert len(got) == 1 and got[0][0] == "a" and got[0][-1] == "b", (hex(c), got)
    to = got[0][1:-1]
    if to == chr(c):
        return None
    if len(to) == 1:
        return f"{ord(to) - c:+d}"
    return "> " + " ".join(f"{ord(t):04X}" for t in to)


def main():
    runs, everything = [], hashlib.sha256()
    for c in range(0x110000):
        if c in SURROGATES:
            continue
        everything.update((" ".join(words("a" + chr(c) + "b")) + "\n").encode())
        if c in HANGUL:
            continue
        a = action(c)
        if a is None:
            continue
        if runs and runs[-1][1] == c - 1 and runs[-1][2] == a:
            runs[-1][1] = c
        else:
            runs.append([c, c, a])
    folder = pathlib.Path(__file__).resolve().parents[2] / "encode/text/wordpiece"
    with open(folder / "chars.txt", "w", encoding="ascii") as f:
        f.write(HEADER)
        for first, last, a in runs:
            f.write(f"{first:04X}{f'-{last:04X}' if last > first else ''} {a}\n")
    (folder / "testdata/chars.sha256").write_text(everything.hexdigest() + "\n")
    print(len(runs), "runs")


if __name__ == "__main__":
    main()

"""Makes the transformer's weights file from all-MiniLM-L6-v2.

    python convert.py [--model DIR] [--out FILE]

See README.md. The weights and the vocabulary are checked against pinned checksums.
"""

import argparse
import hashlib
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "distill"))

import minilm  # noqa: E402
import weights  # noqa: E402

NOTE = """The weights of sentence-transformers/all-MiniLM-L6-v2
(https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2), Apache License 2.0,
whose vocabulary is that of BERT base uncased (google-research/bert), Apache License 2.0.
Changed: matrices rounded to int8, positions from 256 on and the pooler left out.
Made by tools/minilm.
"""


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--model", help="directory of model.safetensors and vocab.txt")
    options.add_argument("--out", type=pathlib.Path, default=HERE.parents[1] / "encode/text/minilm/weights.bin")
    options = options.parse_args()

    folder = minilm.model_dir(options.model)
    data = weights.dump(minilm.MiniLM(folder).w, minilm.read_vocabulary(folder), NOTE)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    (options.out.parent / (options.out.name + ".sha256")).write_text(f"{digest}  {options.out.name}\n")
    print(options.out.name, len(data), "bytes", digest)


if __name__ == "__main__":
    main()

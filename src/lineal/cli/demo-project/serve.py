"""Serve a model: python serve.py MODEL PORT. POST /predict {"rows": [[...]]}; GET / says which model is loaded."""

import hashlib
import io
import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

import joblib

with open(sys.argv[1], "rb") as stream:
    content = stream.read()

DIGEST = "sha256:" + hashlib.sha256(content).hexdigest()
MODEL = joblib.load(io.BytesIO(content))


class Scorer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, {"model_digest": DIGEST})

    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["rows"]
        scores = [round(float(score), 6) for score in MODEL.predict_proba(rows)[:, 0]]
        self.answer(200, {"malignant": scores})

    def answer(self, status, document):
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


HTTPServer(("127.0.0.1", int(sys.argv[2])), Scorer).serve_forever()

"""Serve a model: `python serve.py MODEL PORT`. GET / says which model it loaded, POST / predicts."""

import hashlib
import json
import math
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

data = Path(sys.argv[1]).read_bytes()
model = json.loads(data)


class Scorer(BaseHTTPRequestHandler):
    """Answers with JSON."""

    def do_GET(self):
        """Say which bytes were loaded."""
        self.answer({"model_digest": f"sha256:{hashlib.sha256(data).hexdigest()}"})

    def do_POST(self):
        """Give the probability of benign for radius, texture and concavity."""
        features = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        scaled = [
            (value - mean) / width
            for value, mean, width in zip(features, model["centre"], model["spread"], strict=True)
        ]
        score = sum(weight * value for weight, value in zip(model["weights"], [1.0, *scaled], strict=True))
        self.answer({"benign": round(1 / (1 + math.exp(-score)), 3)})

    def answer(self, document):
        """Send a document."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(document).encode())

    def log_message(self, *_):
        """Print nothing for each request."""


HTTPServer(("127.0.0.1", int(sys.argv[2])), Scorer).serve_forever()

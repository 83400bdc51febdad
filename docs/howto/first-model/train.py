"""Train a logistic regression, and measure it on the rows held out."""

import csv
import json
import math
import random
from pathlib import Path

params = json.loads(Path("params.json").read_text())
random.seed(params["seed"])


def read(name):
    """Return rows of (features, label)."""
    rows = list(csv.reader(Path(f"data/{name}.csv").read_text().splitlines()))[1:]
    return [([float(value) for value in row[:-1]], int(row[-1])) for row in rows]


def probability(weights, features):
    """Return the probability of benign."""
    return 1 / (1 + math.exp(-sum(weight * value for weight, value in zip(weights, features, strict=True))))


train, holdout = read("train"), read("holdout")
columns = list(zip(*(features for features, _ in train), strict=True))
centre = [sum(column) / len(column) for column in columns]
spread = [
    math.dist(column, [mean] * len(column)) / len(column) ** 0.5 for column, mean in zip(columns, centre, strict=True)
]


def scale(features):
    """Return the features scaled, after a 1 for the intercept."""
    return [1.0, *((value - mean) / width for value, mean, width in zip(features, centre, spread, strict=True))]


weights = [random.gauss(0, 0.1) for _ in range(4)]
scaled = [(scale(features), label) for features, label in train]
for _ in range(params["steps"]):
    errors = [(probability(weights, features) - label, features) for features, label in scaled]
    for place in range(4):
        slope = sum(error * features[place] for error, features in errors) / len(errors)
        weights[place] -= params["rate"] * slope

right = sum((probability(weights, scale(features)) > 0.5) == bool(label) for features, label in holdout)
Path("metrics.json").write_text(json.dumps({"accuracy": right / len(holdout)}))
Path("model.json").write_text(json.dumps({"weights": weights, "centre": centre, "spread": spread}))
print(f"accuracy {right / len(holdout):.3f}")

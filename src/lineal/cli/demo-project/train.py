"""Train a classifier with the parameters of params.yaml; write model.joblib and metrics.json."""

import csv
import json

import joblib
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler


def read(name):
    with open(f"data/prepared/{name}.csv", newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    return [[float(value) for value in row[:-1]] for row in rows], [int(row[-1]) for row in rows]


with open("params.yaml") as stream:
    params = yaml.safe_load(stream)

features, target = read("train")
model = make_pipeline(
    StandardScaler(),
    LogisticRegression(C=params["C"], max_iter=params["max_iter"], random_state=params["seed"]),
)
model.fit(features, target)

features, target = read("test")
predicted = model.predict(features)
metrics = {
    "accuracy": round(accuracy_score(target, predicted), 4),
    "recall_malignant": round(recall_score(target, predicted, pos_label=0), 4),
}

joblib.dump(model, "model.joblib")
with open("metrics.json", "w") as stream:
    json.dump(metrics, stream, indent=2)

print(f"trained: {metrics}")

"""Train a classifier in SageMaker's container layout: channels, hyper-parameters and model below /opt/ml."""

import csv
import json
import os
from pathlib import Path

import joblib
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, recall_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

BASE = Path(os.environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"))


def read(channel):
    features, target = [], []
    for part in sorted((BASE / "input" / "data" / channel).glob("*.csv")):
        with open(part, newline="") as stream:
            for row in list(csv.reader(stream))[1:]:
                features.append([float(value) for value in row[:-1]])
                target.append(int(row[-1]))
    return features, target


hyper = json.loads((BASE / "input" / "config" / "hyperparameters.json").read_text())

features, target = read("train")
held_out = len(target) // 5
model = make_pipeline(
    StandardScaler(),
    LogisticRegression(C=float(hyper["C"]), max_iter=int(hyper["max_iter"]), random_state=int(hyper["seed"])),
)
model.fit(features[held_out:], target[held_out:])

predicted = model.predict(features[:held_out])
metrics = {
    "accuracy": round(accuracy_score(target[:held_out], predicted), 4),
    "recall_malignant": round(recall_score(target[:held_out], predicted, pos_label=0), 4),
}

joblib.dump(model, BASE / "model" / "model.joblib")
with open(BASE / "model" / "metrics.json", "w") as stream:
    json.dump(metrics, stream, indent=2)

print(f"trained: {metrics}")

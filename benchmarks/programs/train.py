"""A training script like any other: reads a CSV file, fits a forest, writes the model and its metrics."""

import csv
import json
import sys

import joblib  # type: ignore[import-untyped]
from sklearn.ensemble import RandomForestClassifier  # type: ignore[import-untyped]

source, trees = sys.argv[1], int(sys.argv[2])
with open(source, newline="") as file:
    rows = [[float(cell) for cell in row] for row in csv.reader(file)]
features, labels = [row[:-1] for row in rows], [row[-1] for row in rows]
forest = RandomForestClassifier(n_estimators=trees, random_state=7, n_jobs=1).fit(features, labels)
joblib.dump(forest, "model.joblib")
with open("metrics.json", "w") as file:
    json.dump({"accuracy": forest.score(features, labels)}, file)

"""Turn the raw table into what the model learns from: drop incomplete rows, split into training and test."""

import csv
from pathlib import Path

TEST_EVERY = 5

with open("data/raw.csv", newline="") as stream:
    header, *rows = list(csv.reader(stream))

complete = [row for row in rows if all(row)]
test = complete[::TEST_EVERY]
train = [row for number, row in enumerate(complete) if number % TEST_EVERY]

Path("data/prepared").mkdir(parents=True, exist_ok=True)
for name, part in (("train", train), ("test", test)):
    with open(f"data/prepared/{name}.csv", "w", newline="") as stream:
        csv.writer(stream).writerows([header, *part])

print(f"{len(complete)} complete rows of {len(rows)}: {len(train)} to train on, {len(test)} to test with")

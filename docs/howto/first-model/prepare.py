"""Divide the raw table: every fifth row is held out."""

import csv

with open("data/raw.csv", newline="") as file:
    head, *rows = csv.reader(file)
for name, keep in (("train", lambda number: number % 5 != 0), ("holdout", lambda number: number % 5 == 0)):
    with open(f"data/{name}.csv", "w", newline="") as file:
        csv.writer(file).writerows([head, *(row for number, row in enumerate(rows) if keep(number))])

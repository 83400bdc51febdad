"""Reads every file of a folder and writes the sum of their lengths."""

import os
import sys

total = 0
for folder, _, names in os.walk(sys.argv[1]):
    for name in sorted(names):
        with open(os.path.join(folder, name), "rb") as file:
            total += len(file.read())
with open("total.txt", "w") as file:
    file.write(str(total))

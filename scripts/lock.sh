#!/bin/sh
# Write requirements/*.txt: every version with its hashes, for every platform, and no index.
set -eu
uv=$1
compile() {
    out=$1
    shift
    # shellcheck disable=SC2086
    $uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
        --python-version 3.11 --output-file "requirements/$out" "$@"
}
mkdir -p requirements
echo 'uv>=0.6,<1' | compile uv.txt -
printf 'hatchling>=1.27,<2\neditables>=0.5,<1\n' | compile demo.txt pyproject.toml --extra demo -
compile dev.txt --constraint requirements/demo.txt pyproject.toml --extra demo --extra postgres --extra aws --extra tables \
    --extra dask --extra ray --extra notify --group test --group lint
# The real DVC, for tests only, in environments of its own (tests/servers/dvc_program.py).
printf 'dvc==2.58.2\npathspec<0.12\ndulwich<0.22\nfsspec<2024\n' | compile dvc2.txt -
echo 'dvc[s3]>=3.60,<4' | compile dvc3.txt -

"""Every seeded secret is gone, wherever it stands; what only looks like one stays as it is."""

import base64
import hashlib
import random
import string
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.core.redaction import (
    MARK,
    clean,
    is_secret_name,
    redact,
    redact_argv,
    redact_bytes,
    redact_value,
    strip_url,
)
from lineal.core.token_rules import TOKEN_RULES

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URL64 = ALNUM + "-_"


def draw(alphabet: str, count: int, seed: random.Random) -> str:
    return "".join(seed.choice(alphabet) for _ in range(count))


def pem(seed: random.Random, kind: str) -> str:
    body = base64.b64encode(seed.randbytes(600)).decode()
    lines = "\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


def jwt(seed: random.Random) -> str:
    parts = [
        base64.urlsafe_b64encode(text.encode()).decode().rstrip("=") for text in ('{"alg":"HS256"}', '{"sub":"1"}')
    ]
    return ".".join([*parts, draw(URL64, 43, seed)])


# The shape of each kind of token, drawn anew for each seed; none of them was ever issued.
TOKENS = {
    "AWS access key": lambda seed: "AKIA" + draw(string.ascii_uppercase + "234567", 16, seed),
    "AWS temporary key": lambda seed: "ASIA" + draw(string.ascii_uppercase + "234567", 16, seed),
    "GitHub token": lambda seed: "ghp_" + draw(ALNUM, 36, seed),
    "GitHub server token": lambda seed: "ghs_" + draw(ALNUM, 36, seed),
    "GitHub fine-grained token": lambda seed: f"github_pat_{draw(ALNUM, 22, seed)}_{draw(ALNUM, 59, seed)}",
    "GitLab token": lambda seed: "glpat-" + draw(ALNUM, 20, seed),
    "Slack token": lambda seed: f"xoxb-{draw(string.digits, 12, seed)}-{draw(ALNUM, 24, seed)}",
    "Slack webhook": lambda seed: "https://hooks.slack.com/services/T0/B0/" + draw(ALNUM, 24, seed),
    "Google API key": lambda seed: "AIza" + draw(ALNUM, 35, seed),
    "Google access token": lambda seed: "ya29." + draw(URL64, 60, seed),
    "Google client secret": lambda seed: "GOCSPX-" + draw(URL64, 28, seed),
    "Azure storage key": lambda seed: "AccountKey=" + draw(ALNUM + "+/", 86, seed) + "==",
    "JSON Web Token": jwt,
    "private key": lambda seed: pem(seed, "RSA "),
    "PKCS 8 key": lambda seed: pem(seed, ""),
    "encrypted key": lambda seed: pem(seed, "ENCRYPTED "),
    "OpenSSH key": lambda seed: pem(seed, "OPENSSH "),
    "Anthropic key": lambda seed: "sk-ant-api03-" + draw(URL64, 90, seed),
    "OpenAI key": lambda seed: "sk-proj-" + draw(URL64, 48, seed),
    "OpenAI old key": lambda seed: "sk-" + draw(ALNUM, 48, seed),
    "Hugging Face token": lambda seed: "hf_" + draw(string.ascii_letters, 34, seed),
    "Stripe key": lambda seed: "sk_live_" + draw(ALNUM, 24, seed),
    "SendGrid key": lambda seed: f"SG.{draw(URL64, 22, seed)}.{draw(URL64, 43, seed)}",
    "npm token": lambda seed: "npm_" + draw(ALNUM, 36, seed),
    "PyPI token": lambda seed: "pypi-AgE" + draw(URL64, 60, seed),
    "Databricks token": lambda seed: "dapi" + draw(HEX, 32, seed),
    "DigitalOcean token": lambda seed: "dop_v1_" + draw(HEX, 64, seed),
    "Docker token": lambda seed: "dckr_pat_" + draw(ALNUM, 27, seed),
    "Vault token": lambda seed: "hvs." + draw(ALNUM, 24, seed),
    "Twilio key": lambda seed: "SK" + draw(HEX, 32, seed),
    "curl user": lambda seed: f"curl -sS -u ada:{draw(ALNUM, 20, seed)}",
    "authorization header": lambda seed: "Authorization: Bearer " + draw(ALNUM, 24, seed),
    "database address": lambda seed: f"postgresql://ada:{draw(ALNUM, 12, seed)}@db.example.org:5432/risk",
    "address with a token": lambda seed: f"https://{draw(ALNUM, 30, seed)}@git.example.org/acme/risk.git",
    "signed address": lambda seed: f"https://b.example.org/k?X-Amz-Signature={draw(HEX, 64, seed)}&x=1",
    "password in an assignment": lambda seed: f"DB_PASSWORD={draw(ALNUM, 12, seed)}",
    "password in quotes": lambda seed: f'db_password = "{draw(ALNUM, 12, seed)}"',
    "secret in JSON": lambda seed: f'{{"client_secret": "{draw(ALNUM, 16, seed)}"}}',
    "secret in JSON in JSON": lambda seed: f'"{{\\"apiKey\\": \\"{draw(ALNUM, 16, seed)}\\"}}"',
    "AWS secret key": lambda seed: "aws_secret_access_key = " + draw(ALNUM + "/+", 39, seed) + "7",
    "option": lambda seed: f"--api-key {draw(ALNUM, 20, seed)}",
    "option with a sign": lambda seed: f"--hf-token={draw(ALNUM, 20, seed)}",
}  # fmt: skip
PLACES = [
    "{}",
    "before {} after",
    "line one\n{}\nline three\n",
    "+{}\n-old\n",
    "['a', '{}', 'b']",
    "2026-03-03 12:00:01 INFO loading {}, please wait",
    "x={}",
]


def sensitive(secret: str) -> list[str]:
    """The parts of a seeded secret that must not be left: all its runs of eight or more random characters."""
    if "PRIVATE KEY" in secret:
        return secret.splitlines()[1:-1]
    known = {"password", "aws_secret_access_key", "postgresql", "client_secret", "Authorization", "Signature"}
    runs = "".join(char if char in URL64 + "+/" else " " for char in secret).split()
    longest = max((run for run in runs if not any(word in run for word in known)), key=len, default="")
    return [longest] if "example" not in longest else []


@pytest.mark.parametrize("kind", sorted(TOKENS))
@given(number=st.integers(0, 2**32), place=st.sampled_from(PLACES))
@settings(max_examples=25, deadline=None)
def test_every_seeded_secret_is_gone(kind: str, number: int, place: str) -> None:
    seed = random.Random(number)
    secret = TOKENS[kind](seed)
    text, count = redact(place.format(secret) if place.count("{}") else place)
    assert count >= 1
    assert MARK in text
    assert secret not in text
    for part in sensitive(secret):
        assert part not in text


@pytest.mark.parametrize("kind", sorted(TOKENS))
def test_redaction_is_final(kind: str) -> None:
    once, _ = redact(f"a {TOKENS[kind](random.Random(7))} b")
    assert redact(once) == (once, 0)


BENIGN = {
    "digest": lambda seed: "sha256:" + draw(HEX, 64, seed),
    "hex digest": lambda seed: hashlib.sha256(seed.randbytes(8)).hexdigest(),
    "commit": lambda seed: draw(HEX, 40, seed),
    "MD5 and ETag": lambda seed: f'"{draw(HEX, 32, seed)}-7"',
    "UUID": lambda seed: str(uuid.UUID(int=seed.getrandbits(128), version=4)),
    "image in base64": lambda seed: "data:image/png;base64," + base64.b64encode(seed.randbytes(3000)).decode(),
    "RECORD line": lambda seed: f"numpy/core/x.py,sha256={draw(URL64, 43, seed)},1234",
    "wheel hash": lambda seed: f"--hash=sha256:{draw(HEX, 64, seed)}",
    "ARN": lambda seed: f"arn:aws:sagemaker:eu-west-1:{draw(string.digits, 12, seed)}:training-job/risk",
    "S3 address": lambda seed: f"s3://bucket/{draw(ALNUM, 20, seed)}/part-0.parquet",
    "image address": lambda seed: f"123456789012.dkr.ecr.eu-west-1.amazonaws.com/risk@sha256:{draw(HEX, 64, seed)}",
    "public key": lambda seed: pem(seed, "").replace("PRIVATE", "PUBLIC"),
    "certificate": lambda seed: pem(seed, "").replace("PRIVATE KEY", "CERTIFICATE"),
    "code about passwords": lambda _: 'password = os.environ["DB_PASSWORD"]\nlogin(user, password=password)\n',
    "types": lambda _: "def login(token: str, password: Optional[str] = None) -> None:",
    "placeholders": lambda _: 'PASSWORD=${DB_PASSWORD} token: <your token> secret = "{{ secret }}" api_key: null',
    "language models": lambda _: "max_tokens=1024 pad_token='[PAD]' tokenizer=bert eos_token_id=50256 num_tokens: 77",
    "columns": lambda _: "key=customer_id sort_key='amount' primary_key: id keyword=abcdefgh monkey=bananas",
    "training log": lambda seed: f"epoch 3 loss={seed.random():.6f} keys: 12 passes=100000 compass=north12",
    "code that looks for keys": lambda _: 'if line.startswith("-----BEGIN RSA PRIVATE KEY-----"):\n    return line',
    "ssh remote": lambda _: "git@github.com:acme/risk.git ssh://git@github.com/acme/risk.git",
    "address": lambda _: "https://example.org/a?key=title&page=2#token mailto:ada@example.org http://h/@scope/pkg",
    "signature file": lambda _: "signature_path=/tmp/x.sig password_file=/run/secrets/db secret_name=prod-db-1",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(BENIGN))
@given(number=st.integers(0, 2**32), place=st.sampled_from(PLACES[:6]))
@settings(max_examples=25, deadline=None)
def test_what_only_looks_like_a_secret_stays(kind: str, number: int, place: str) -> None:
    text = place.replace("{}", BENIGN[kind](random.Random(number)))
    assert redact(text) == (text, 0)


@given(st.text())
def test_any_text_is_taken_and_a_second_pass_changes_nothing(text: str) -> None:
    once, count = redact(text)
    assert (count == 0) == (once == text)
    assert redact(once)[0] == once


@given(st.binary())
def test_bytes_without_secrets_are_returned_as_they_are(data: bytes) -> None:
    kept, count = redact_bytes(data)
    assert count or kept == data


@pytest.mark.parametrize("cut", ["end", "begin"])
def test_a_key_of_which_a_part_is_cut_off_is_found(cut: str) -> None:
    key = pem(random.Random(3), "RSA ")
    text = f"starting\n{key[:-60]}" if cut == "end" else f"{key[40:]}\ndone\n"
    kept, count = redact(text)
    assert count == 1
    assert kept == (f"starting\n{MARK}" if cut == "end" else f"{MARK}\ndone\n")


def test_a_key_without_its_begin_does_not_take_the_text_before_it() -> None:
    key = pem(random.Random(3), "").split("\n", 1)[1]
    assert redact(f"one\nstarting\n{key}") == (f"one\nstarting\n{MARK}", 1)


def test_every_rule_has_a_hint_that_its_pattern_needs() -> None:
    seeded = [make(random.Random(1)) for make in TOKENS.values()]
    for rule in TOKEN_RULES:
        hits = [secret for secret in seeded if rule.pattern.search(secret)]
        assert hits, rule.name
        assert all(any(hint in secret for hint in rule.hints) for secret in hits), rule.name


@pytest.mark.parametrize(
    "name",
    ["password", "DB_PASSWORD", "dbPassword", "--api-key", "hf_token", "HF_TOKEN", "secret", "client-secret",
     "aws_secret_access_key", "GITHUB_TOKEN", "authToken", "credentials", "PRIVATE_KEY", "token2", "cookie",
     "-Dpassword", "PGPASSWORD", "DB_PASS", "mysqlPass", "masterpassword"],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["max_tokens", "pad_token", "tokenizer", "key", "sort_key", "keyboard", "password_file", "secret_arn",
     "token_count", "compass", "passes", "n_tokens", "lr", "", "monkey", "bypass", "--", "eosToken", "secretary",
     "pass", "test_pass", "first_pass", "mountpass"],
)  # fmt: skip
def test_names_of_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_arguments() -> None:
    argv = [
        "train.py",
        "--token",
        "abc",
        "--lr",
        "0.1",
        "--api-key=xyz",
        "PASSWORD=hunter",
        "--secret",
        "--fast",
        "caf\udce9",
    ]
    kept, count = redact_argv(argv)
    assert kept == [
        "train.py", "--token", MARK, "--lr", "0.1", f"--api-key={MARK}", f"PASSWORD={MARK}", "--secret",
        "--fast", "caf\\xe9",
    ]  # fmt: skip
    assert count == 3


@pytest.mark.parametrize(
    ("argv", "kept"),
    [
        (["java", "-Dpassword=hunter2", "-jar", "x"], ["java", f"-Dpassword={MARK}", "-jar", "x"]),
        (["push", "--user", "ada:hunter2"], ["push", "--user", f"ada:{MARK}"]),
        (["/usr/bin/curl", "-u", "ada:hunter2", "h"], ["/usr/bin/curl", "-u", f"ada:{MARK}", "h"]),
        (["docker", "run", "--user", "1000:1000", "i"], ["docker", "run", "--user", "1000:1000", "i"]),
        (["python", "-u", "train.py:main"], ["python", "-u", "train.py:main"]),
        (["curl", "-u", "ada:$PASSWORD", "h"], ["curl", "-u", "ada:$PASSWORD", "h"]),
    ],
)
def test_passwords_beside_a_user_or_a_define(argv: list[str], kept: list[str]) -> None:
    assert redact_argv(argv) == (kept, int(argv != kept))


def test_values_are_cut_by_their_name() -> None:
    assert redact_value("db_password", "x") == (MARK, 1)
    assert redact_value("db_password", "") == ("", 0)
    assert redact_value("lr", "0.1") == ("0.1", 0)
    assert redact_value("note", "ghp_" + "a1B2" * 9) == (MARK, 1)


@pytest.mark.parametrize(
    ("url", "kept", "cuts"),
    [
        ("https://ada:pw@github.com/a/b.git", "https://github.com/a/b.git", 1),
        ("https://x-access-token@github.com/a/b.git", "https://github.com/a/b.git", 1),
        ("https://github.com/a/b.git", "https://github.com/a/b.git", 0),
        ("ssh://git@github.com/a/b.git", "ssh://git@github.com/a/b.git", 0),
        ("ssh://git:pw@github.com/a/b.git", "ssh://git@github.com/a/b.git", 1),
        ("ssh+git://git:pw@github.com/a/b.git", "ssh+git://git@github.com/a/b.git", 1),
        ("https://ada:p/w@github.com/a/b.git", "https://github.com/a/b.git", 1),
        ("https://ada:p?w@github.com/a", "https://github.com/a", 1),
        ("https://ada:1x#w/x@github.com", "https://github.com", 1),
        ("https://:p/w@github.com/a", "https://github.com/a", 1),
        ("https://registry:5000/a@b", "https://registry:5000/a@b", 0),
        ("https://registry:/a@b", "https://registry:/a@b", 0),
        ("http://[::1]:80/a@b", "http://[::1]:80/a@b", 0),
        ("git@github.com:a/b.git", "git@github.com:a/b.git", 0),
        ("https://h/p?token=abcd&x=1", f"https://h/p?token={MARK}&x=1", 1),
    ],
)
def test_addresses_lose_their_credentials(url: str, kept: str, cuts: int) -> None:
    assert strip_url(url) == (kept, cuts)


def test_clean_text_is_valid_unicode() -> None:
    assert clean(b"caf\xe9") == "caf\\xe9"
    assert clean("caf\udce9 \u00e9") == "caf\\xe9 \u00e9"


@given(st.text(alphabet=st.characters()))
def test_clean_takes_any_text(text: str) -> None:
    clean(text).encode("utf-8")

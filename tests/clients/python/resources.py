"""Requests for resources, by `requests`: usage `resources.py URL ROWS`. See ../node/resources.mjs, which does the same."""

import base64
import json
import re
import sys

import requests

base, file = sys.argv[1:]
saved = {}
session = requests.Session()


def ask(row, stream=False):
    path = re.sub(r"\{(\w+)\}", lambda name: saved[name.group(1)], row["path"])
    body = None if row["body"] is None else base64.b64decode(row["body"])
    prepared = requests.Request(row["method"], base + path, headers=row["headers"], data=body).prepare()
    prepared.url = base + path  # as it stands: nothing is encoded anew
    return session.send(prepared, stream=stream, timeout=60)


def follow(row):
    told = row["meanwhile"] is None
    text = b""
    with ask(row, stream=True) as answer:
        for part in answer.iter_content(chunk_size=None):
            text += part
            if not told and row["first"].encode() in text:
                told = True
                ask(row["meanwhile"])
            if row["until"].encode() in text:
                break
        return answer, text


with open(file, encoding="utf-8") as rows:
    for row in json.load(rows):
        if row["until"] is None:
            answer = ask(row)
            body = answer.content
        else:
            answer, body = follow(row)
        if row["save"] is not None:
            saved[row["save"].upper()] = json.loads(body)[row["save"]]
        headers = {name.lower(): value for name, value in answer.headers.items()}
        print(json.dumps({"status": answer.status_code, "headers": headers, "body": base64.b64encode(body).decode()}))

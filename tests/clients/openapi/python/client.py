"""The client that openapi-python-client makes. Usage `client.py URL`, with its package `keyport_client` beside."""

import json
import sys
from base64 import b64encode
from http import HTTPStatus
from io import BytesIO

from keyport_client import Client
from keyport_client.api.keys import keys_delete, keys_get, keys_list, keys_put
from keyport_client.api.kv import kv_delete_range, kv_put, kv_range
from keyport_client.api.leases import leases_grant, leases_revoke, leases_show
from keyport_client.models import (
    EtcdserverpbDeleteRangeRequest,
    EtcdserverpbPutRequest,
    EtcdserverpbPutResponse,
    EtcdserverpbRangeRequest,
    EtcdserverpbRangeResponse,
    EtcdserverpbWatchResponseLine,
    KeyList,
    KeyValue,
    LeaseState,
    LeaseWish,
    Problem,
    WatchChange,
    WatchPut,
)
from keyport_client.types import File

client = Client(base_url=sys.argv[1])


def octets(text: str) -> File:
    return File(payload=BytesIO(text.encode()))


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


# Keys as resources.
made = keys_put.sync_detailed("python/a", client=client, body=octets("one"))
assert made.status_code == HTTPStatus.CREATED and isinstance(made.parsed, KeyValue), made
assert int(made.parsed.mod_revision) > 1
got = keys_get.sync_detailed("python/a", client=client)
assert got.content == b"one", got
listed = keys_list.sync(client=client, prefix="python/")
assert isinstance(listed, KeyList) and [key.key for key in listed.keys] == ["python/a"], listed

# What is refused is a problem.
refused = keys_put.sync_detailed("python/a", client=client, body=octets("two"), create=True)
assert isinstance(refused.parsed, Problem), refused
assert (refused.parsed.status, refused.parsed.title) == (412, "The key is not what it has to be")

# The gateway.
put = kv_put.sync(client=client, body=EtcdserverpbPutRequest(key=base64("python/b"), value=base64("two")))
assert isinstance(put, EtcdserverpbPutResponse) and put.header.revision, put
found = kv_range.sync(client=client, body=EtcdserverpbRangeRequest(key=base64("python/b")))
assert isinstance(found, EtcdserverpbRangeResponse) and found.kvs, found
assert found.kvs[0].value == base64("two")

# A lease.
lease = leases_grant.sync(client=client, body=LeaseWish(ttl=60))
assert isinstance(lease, LeaseState), lease
bound = keys_put.sync("python/c", client=client, body=octets("x"), lease=lease.id)
assert isinstance(bound, KeyValue) and bound.lease == lease.id, bound
shown = leases_show.sync(lease.id, client=client, keys=True)
assert isinstance(shown, LeaseState) and shown.keys and shown.keys[0].key == "python/c", shown
assert leases_revoke.sync_detailed(lease.id, client=client).status_code == HTTPStatus.NO_CONTENT

# Streams have no end to wait for: they are read with the client's connection, and each piece is one of its models.
http = client.get_httpx_client()
query = {"prefix": "python/", "initial": "true"}
lines = {"Accept": "application/x-ndjson"}


def check(event: dict[str, object]) -> None:
    change = WatchPut.from_dict(event)
    assert isinstance(change.data, WatchChange) and change.data.key == "python/a" and change.id, change


with http.stream("GET", "/v3/watch", params=query, headers=lines) as stream:
    check(next(event for event in map(json.loads, stream.iter_lines()) if event["event"] == "put"))
with http.stream("GET", "/v3/watch", params=query, headers={"Accept": "text/event-stream"}) as stream:
    fields: dict[str, object] = {}
    for line in stream.iter_lines():
        if not line and fields.get("event") == "put":
            break
        name, _, value = line.partition(": ")
        fields[name] = json.loads(value) if name == "data" else value
    check({name: fields[name] for name in ("id", "event", "data")})
body = {"create_request": {"key": base64("python/a")}}
with http.stream("POST", "/v3/watch", json=body, headers=lines) as stream:
    answer = EtcdserverpbWatchResponseLine.from_dict(json.loads(next(stream.iter_lines())))
    assert answer.result and answer.result.created is True, answer

assert keys_delete.sync_detailed("python/a", client=client).status_code == HTTPStatus.NO_CONTENT
gone = kv_delete_range.sync(client=client, body=EtcdserverpbDeleteRangeRequest(key=base64("python/b")))
assert gone and gone.to_dict()["deleted"] == "1", gone

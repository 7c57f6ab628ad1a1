"""The client that openapi-generator makes for Python. Usage `generator.py URL`, with its package `keyport_client` beside."""

import json
import sys
from base64 import b64encode
from collections.abc import Iterator

import keyport_client as api
from keyport_client.exceptions import ApiException
from urllib3 import HTTPResponse

client = api.ApiClient(api.Configuration(host=sys.argv[1]))
keys, kv, leases, watch = api.KeysApi(client), api.KVApi(client), api.LeasesApi(client), api.WatchApi(client)


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def pieces(stream: HTTPResponse) -> Iterator[bytes]:
    """The lines of a body, as they come."""
    rest = b""
    for piece in stream.stream():
        *whole, rest = (rest + piece).split(b"\n")
        yield from filter(None, whole)


# Keys as resources.
made = keys.keys_put_with_http_info("pygen/a", body=b"one")
assert made.status_code == 201 and int(made.data.mod_revision) > 1, made
octets = {"Accept": "application/octet-stream"}
assert keys.keys_get_without_preload_content("pygen/a", _headers=octets).data == b"one"
listed = keys.keys_list(prefix="pygen/")
assert [key.key for key in listed.keys] == ["pygen/a"], listed

# What is refused is a problem.
try:
    keys.keys_put("pygen/a", body=b"two", create=True)
    raise SystemExit("a second one was made")
except ApiException as refused:
    assert refused.status == 412 and isinstance(refused.data, api.Problem), refused
    assert refused.data.title == "The key is not what it has to be"

# The gateway.
put = kv.kv_put(api.EtcdserverpbPutRequest(key=base64("pygen/b"), value=base64("two")))
assert put.header.revision, put
found = kv.kv_range(api.EtcdserverpbRangeRequest(key=base64("pygen/b")))
assert found.kvs and found.kvs[0].value == base64("two"), found

# A lease.
wish = api.LeaseWish.from_dict({"ttl": 60})
assert wish
lease = leases.leases_grant(wish)
bound = keys.keys_put("pygen/c", body=b"x", lease=lease.id)
assert bound.lease == lease.id, bound
shown = leases.leases_show(lease.id, keys=True)
assert shown.keys and shown.keys[0].key == "pygen/c", shown
leases.leases_revoke(lease.id)

# Streams are read as they come, and each piece is one of its models.
lines = {"Accept": "application/x-ndjson"}
stream = watch.watch_events_without_preload_content(prefix=["pygen/"], initial=True, _headers=lines)
for line in pieces(stream):
    event = json.loads(line)
    if event["event"] == "put":
        change = api.WatchPut.from_dict(event)
        assert change and change.id and isinstance(change.data.actual_instance, api.WatchChange), change
        assert change.data.actual_instance.key == "pygen/a", change
        break
create = api.EtcdserverpbWatchRequest(create_request=api.EtcdserverpbWatchCreateRequest(key=base64("pygen/a")))
stream = watch.watch_without_preload_content(create, _headers=lines)
answer = api.EtcdserverpbWatchResponseLine.from_json(next(pieces(stream)).decode())
assert answer and answer.result and answer.result.created is True, answer

keys.keys_delete("pygen/a")
assert kv.kv_delete_range(api.EtcdserverpbDeleteRangeRequest(key=base64("pygen/b"))).deleted == "1"

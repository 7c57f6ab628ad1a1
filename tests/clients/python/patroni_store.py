"""Patroni's own store for etcd 3, used as its daemon does: two members of a cluster of PostgreSQL, and who leads it.

usage: patroni_store.py HOST:PORT [USER PASSWORD]
"""

import json
import logging
import sys
import time

from patroni.dcs import get_dcs
from patroni.dcs.etcd3 import Etcd3
from patroni.exceptions import DCSError

TTL = 15  # the least that Patroni takes for a leader, in s
PATIENCE = 40  # in s


def member(name, endpoint, credentials):
    config = {'scope': 'accounts', 'namespace': 'service', 'name': name, 'ttl': TTL, 'loop_wait': 5, 'retry_timeout': 5}
    config['etcd3'] = {'host': endpoint, **credentials}
    dcs = get_dcs(config)
    assert isinstance(dcs, Etcd3), dcs
    # As its main loop does before anything else.
    dcs.reload_config({**config, **config['etcd3']})
    return dcs


def until(what, look):
    deadline = time.monotonic() + PATIENCE
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f'{what}: not within {PATIENCE} s'
        time.sleep(0.05)


def main(endpoint, credentials):
    first, second = member('first', endpoint, credentials), member('second', endpoint, credentials)

    # Who starts a cluster, and what it is set up with.
    assert first.initialize(create_new=True, sysid='')
    assert not second.initialize(create_new=True, sysid='')
    assert first.initialize(create_new=False, sysid='7012345678901234567')
    assert first.set_config_value(json.dumps({'ttl': TTL, 'loop_wait': 5}))
    for dcs in (first, second):
        assert dcs.touch_member({'conn_url': f'postgres://{dcs._name}/', 'state': 'running', 'role': 'replica'})

    # One of them leads.
    assert first.attempt_to_acquire_leader()
    assert not second.attempt_to_acquire_leader()
    seen = until('the second sees the first lead', lambda: (c := second.get_cluster()).leader and c)
    assert seen.leader.name == 'first' and sorted(m.name for m in seen.members) == ['first', 'second'], seen
    assert seen.initialize == '7012345678901234567' and seen.config.data['ttl'] == TTL, seen
    assert first.update_leader(first.get_cluster(), 1234, slots={'a': 1})
    until('what the leader wrote is there', lambda: second.get_cluster().status.last_lsn == 1234)

    # What is written by who has seen an older state is not.
    sync = first.set_sync_state_value(json.dumps({'leader': 'first', 'sync_standby': 'second'}))
    assert sync
    assert first.set_sync_state_value('{}', str(sync))
    assert not first.set_sync_state_value('{}', str(sync))
    assert first.manual_failover('first', 'second')
    assert until('a failover that was asked for', lambda: second.get_cluster().failover).candidate == 'second'

    # A watch wakes who waits for a leader's end.
    second.get_cluster()
    assert first.delete_leader(first.get_cluster().leader)
    until('no leader is left', lambda: second.get_cluster().is_unlocked())
    assert second.attempt_to_acquire_leader()
    until('the first sees the second lead', lambda: (c := first.get_cluster()).leader and c.leader.name == 'second')

    # A lease that is gone behind its back: a new one, and the key again.
    second._client.call_rpc('/lease/revoke', {'ID': second._lease})
    until('the key went with its lease', lambda: second.get_cluster().is_unlocked())
    assert second.attempt_to_acquire_leader()

    if credentials:
        # A token that the server does not know any more: it logs in again.
        second._client._token = 'gone.1'
        assert second.set_history_value('[]')
        stranger = {**credentials, 'password': 'not this'}
        try:
            member('third', endpoint, stranger)
        except (SystemExit, DCSError):
            pass
        else:
            raise AssertionError('a wrong password did')

    assert first.delete_cluster()
    until('nothing is left', lambda: first.get_cluster().is_empty())
    print('patroni is content')


if __name__ == '__main__':
    logging.basicConfig(level=logging.INFO)
    main(sys.argv[1], dict(zip(('username', 'password'), sys.argv[2:])))

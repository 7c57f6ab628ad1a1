// The tours. What they write is below `tour/` and their own name; the last step of each takes it away.
import type { Tour } from "./step";

const LEASE = { name: "lease", from: /"(?:id|lease)": ?"(\d+)"/ };

const REVISION = { name: "revision", from: /^etag: "(\d+)"/m };

export const TOURS: readonly Tour[] = [
  {
    id: "first",
    title: "Write, read, list",
    about: "A key is a name with slashes; its value is any bytes. Every write is a revision of the whole store.",
    steps: [
      { title: "Write a key", about: "The body is the value, as it is. The answer says at which revision it was written.", call: "PUT /v3/keys/tour/first/greeting\nhello" },
      { title: "Read it", about: "What comes back is the value alone; what else is known of the key stands in the headers.", call: "GET /v3/keys/tour/first/greeting" },
      { title: "Write another one, a level further down", about: "There are no folders to make: slashes in the name are enough.", call: "PUT /v3/keys/tour/first/db/url\npostgres://db:5432" },
      { title: "List a level", about: "One level, as of a folder: keys, and what those further down begin with.", call: "GET /v3/keys?prefix=tour/first/" },
      { title: "The same as etcdctl has it", about: "Clients of etcd see the same store. Their calls have keys in base64; the text stands behind it.", call: "get tour/first/ --prefix" },
      { title: "Clean up", about: "All keys that begin so, in one revision.", call: "DELETE /v3/keys?prefix=tour/first/" },
    ],
  },
  {
    id: "swap",
    title: "Compare and set",
    about: "Two who change the same key at once do not lose each other's work: a write says what it has seen, and is refused if that is not so any more.",
    steps: [
      { title: "Create, if it is not there", about: "The revision 0 stands for a key that is not there.", call: "PUT /v3/keys/tour/swap/counter?cas=0\n1", takes: REVISION },
      { title: "Once more, as somebody else would", about: "It is there by now: 412, with the revision of its last change, and nothing is written.", call: "PUT /v3/keys/tour/swap/counter?cas=0\n100", status: 412 },
      { title: "Change what you have seen", about: "With the revision that the first step was answered with.", call: "PUT /v3/keys/tour/swap/counter?cas={revision}\n2" },
      { title: "With the old revision again", about: "Whoever has seen the 1 does not overwrite the 2. He reads it, and tries again.", call: "PUT /v3/keys/tour/swap/counter?cas={revision}\n2", status: 412 },
      { title: "Its history", about: "What it was is kept, until the store is compacted.", call: "GET /v3/history/tour/swap/counter" },
      { title: "Clean up", about: "All keys that begin so, in one revision.", call: "DELETE /v3/keys?prefix=tour/swap/" },
    ],
  },
  {
    id: "watch",
    title: "Watch changes",
    about: "Nobody has to ask again and again: a watch tells each change as it happens, in order, and none is missed.",
    steps: [
      { title: "Begin to watch", about: "It stays open until two changes have come. Run it, and go on with the next step.", call: "watch tour/watch/ --prefix --events 2" },
      { title: "Change something", about: "The watch above tells it at once.", call: "PUT /v3/keys/tour/watch/door\nopen", takes: REVISION },
      { title: "And once more", about: "With this one the watch has what it wanted, and ends.", call: "PUT /v3/keys/tour/watch/door\nshut" },
      { title: "From the past on", about: "A watch may begin at an old revision: that is how a client goes on after it was away. Here it begins with the first of the two.", call: "watch tour/watch/ --prefix --rev {revision} --events 2" },
      { title: "Clean up", about: "All keys that begin so, in one revision.", call: "DELETE /v3/keys?prefix=tour/watch/" },
    ],
  },
  {
    id: "lease",
    title: "Who is there: leases",
    about: "A lease ends by itself unless it is kept alive, and its keys go with it. That is how a store knows who is there.",
    steps: [
      { title: "Grant a lease", about: "For two minutes. The answer has its id, which the next steps are given.", call: 'POST /v3/leases\n{"ttl": "120"}', takes: LEASE },
      { title: "Say that you are there", about: "The key is bound to the lease.", call: "PUT /v3/keys/tour/lease/web-1?lease={lease}\n10.0.0.7:8080" },
      { title: "What is left of it", about: "And which keys would go with it.", call: "GET /v3/leases/{lease}?keys=true" },
      { title: "Keep it alive", about: "From now on it has its two minutes again. A service does so as long as it runs.", call: "POST /v3/leases/{lease}/keepalive" },
      { title: "End it", about: "As would happen by itself if the service had died.", call: "DELETE /v3/leases/{lease}", status: 204 },
      { title: "Nobody is there any more", about: "The key has gone with its lease: 404.", call: "GET /v3/keys/tour/lease/web-1", status: 404 },
      { title: "Clean up", about: "Nothing is left if all steps were run; if not, this takes the key away.", call: "DELETE /v3/keys?prefix=tour/lease/" },
    ],
  },
  {
    id: "lock",
    title: "One at a time: locks",
    about: "Those who must not work at the same time stand in a line. Whoever is first has the lock; if he dies, his lease ends and the next one is first.",
    steps: [
      { title: "Take the lock", about: "It is free. The answer has the lease that holds it, for two minutes unless it is kept alive.", call: "POST /v3/locks/tour/lock/nightly?ttl=120\njob on web-1", takes: LEASE },
      { title: "Somebody else wants it", about: "409, and who has it. With wait=30 he would stand in line for half a minute.", call: "POST /v3/locks/tour/lock/nightly?ttl=120\njob on web-2", status: 409 },
      { title: "Who holds it, who waits", about: "The screen of locks shows the same, as it changes.", call: "GET /v3/locks/tour/lock/nightly" },
      { title: "Give it back", about: "By the lease. If others waited, the next one would have it at once.", call: "DELETE /v3/locks/tour/lock/nightly?lease={lease}", status: 204 },
      { title: "Now it is free", about: "The second one gets it.", call: "POST /v3/locks/tour/lock/nightly?ttl=120\njob on web-2" },
      { title: "Clean up", about: "A place in line is a key below the name of the lock: whose key is gone has left it.", call: "DELETE /v3/keys?prefix=tour/lock/" },
    ],
  },
];

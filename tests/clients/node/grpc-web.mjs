// A gRPC-Web client as browsers have it: usage `grpc-web.mjs URL DESCRIPTORS`, where DESCRIPTORS is a file with an encoded
// FileDescriptorSet. Exits 0 if all is well.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const [url, descriptors] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const transport = createGrpcWebTransport({ baseUrl: url });
const service = (name) => createClient(registry.getService(`etcdserverpb.${name}`), transport);
const text = (s) => new TextEncoder().encode(s);

const kv = service("KV");
const put = await kv.put({ key: text("web"), value: text("hello") });
assert.ok(put.header.revision > 1n);
const got = await kv.range({ key: text("web") });
assert.equal(new TextDecoder().decode(got.kvs[0].value), "hello");
assert.equal(got.kvs[0].modRevision, put.header.revision);

await assert.rejects(kv.range({}), (error) => {
  assert.ok(error instanceof ConnectError);
  assert.equal(error.code, Code.InvalidArgument);
  assert.equal(error.rawMessage, "etcdserver: key is not provided");
  return true;
});

// Server streaming.
let bytes = 0;
for await (const part of service("Maintenance").snapshot({})) bytes += part.blob.length;
assert.ok(bytes > 1000, `${bytes} bytes of snapshot`);
console.log("ok");

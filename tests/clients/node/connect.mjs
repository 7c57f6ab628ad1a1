// A client of the Connect protocol, which is not spoken: it is told so, and what is. Usage `connect.mjs URL DESCRIPTORS`, as
// `grpc-web.mjs`. Exits 0 if all is well.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-web";

const [url, descriptors] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));
const kv = (transport) => createClient(registry.getService("etcdserverpb.KV"), transport);
const refused = (call, check) =>
  assert.rejects(call, (error) => {
    assert.ok(error instanceof ConnectError);
    check(error);
    return true;
  });

await refused(kv(createConnectTransport({ baseUrl: url })).range({ key: new Uint8Array([107]) }), (error) => {
  assert.equal(error.code, Code.Unimplemented);
  assert.match(error.rawMessage, /createGrpcWebTransport/);
});
// gRPC-Web with messages in JSON: the status says what the headers explain.
const json = createGrpcWebTransport({ baseUrl: url, useBinaryFormat: false });
await refused(kv(json).range({ key: new Uint8Array([107]) }), (error) => {
  assert.equal(error.metadata.get("grpc-status"), "3");
  assert.match(decodeURIComponent(error.metadata.get("grpc-message")), /application\/grpc-web\+proto/);
});
console.log("ok");

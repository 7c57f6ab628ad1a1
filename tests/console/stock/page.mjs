// In the page: a stock gRPC-Web client, and services that the server has described itself, by reflection. Nothing of them is
// known beforehand but reflection's own messages.
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label as Label, FieldDescriptorProto_Type as Type, FileDescriptorProtoSchema, FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";

const PACKAGE = "grpc.reflection.v1";
/** Within which whatever is called has to be over. */
const PATIENCE_MS = 60_000;

const called = new Set();
/** What was called, so that nobody takes one call for another. */
const record = (next) => (request) => {
  called.add(`${request.service.typeName}.${request.method.name}`);
  return next(request);
};
const transportTo = (baseUrl) => createGrpcWebTransport({ baseUrl, interceptors: [record], defaultTimeoutMs: PATIENCE_MS });

/** A page cannot stream a request: called as if only its answers were a stream, with the one message that it needs. */
const asAnswered = (service) => ({
  ...service,
  method: Object.fromEntries(
    Object.entries(service.method).map(([name, method]) => [name, method.methodKind === "bidi_streaming" ? { ...method, methodKind: "server_streaming" } : method]),
  ),
});
const clientOf = (service, url) => {
  const { method, ...rest } = asAnswered(service);
  return createClient({ ...rest, method, methods: Object.values(method) }, transportTo(url));
};

/** As much of `reflection.proto` as is asked and answered here. */
function reflectionFile() {
  const field = (name, number, type, more = {}) => ({ name, number, type, label: Label.OPTIONAL, ...more });
  const message = (name, ...fields) => ({ name, field: fields });
  const of = (name) => ({ typeName: `.${PACKAGE}.${name}` });
  return create(FileDescriptorProtoSchema, {
    name: "reflection.proto",
    package: PACKAGE,
    syntax: "proto3",
    messageType: [
      message("ServerReflectionRequest", field("file_by_filename", 3, Type.STRING), field("file_containing_symbol", 4, Type.STRING), field("list_services", 7, Type.STRING)),
      message(
        "ServerReflectionResponse",
        field("file_descriptor_response", 4, Type.MESSAGE, of("FileDescriptorResponse")),
        field("list_services_response", 6, Type.MESSAGE, of("ListServiceResponse")),
      ),
      message("FileDescriptorResponse", field("file_descriptor_proto", 1, Type.BYTES, { label: Label.REPEATED })),
      message("ListServiceResponse", field("service", 1, Type.MESSAGE, { label: Label.REPEATED, ...of("ServiceResponse") })),
      message("ServiceResponse", field("name", 1, Type.STRING)),
    ],
    service: [{
      name: "ServerReflection",
      method: [{
        name: "ServerReflectionInfo", clientStreaming: true, serverStreaming: true,
        inputType: `.${PACKAGE}.ServerReflectionRequest`, outputType: `.${PACKAGE}.ServerReflectionResponse`,
      }],
    }],
  });
}

const origin = window.location.origin;
const reflection = clientOf(
  createFileRegistry(reflectionFile(), () => undefined).getService(`${PACKAGE}.ServerReflection`),
  origin,
);

/** What a stream says until it has said enough; then it is left. */
async function take(count, open, after = () => undefined) {
  const leave = new AbortController();
  const taken = [];
  for await (const message of open({ signal: leave.signal })) {
    taken.push(message);
    if (taken.length === count) break;
    await after(taken.length);
  }
  leave.abort();
  return taken;
}

const asks = async (request) => (await take(1, (options) => reflection.serverReflectionInfo(request, options)))[0];

/** All files that the services are in, with what those import before them. */
async function filesOf(services) {
  const files = new Map();
  const add = async (bytes) => {
    const file = fromBinary(FileDescriptorProtoSchema, bytes);
    if (files.has(file.name)) return;
    for (const name of file.dependency) {
      for (const bytes of (await asks({ fileByFilename: name })).fileDescriptorResponse.fileDescriptorProto) await add(bytes);
    }
    files.set(file.name, file);
  };
  for (const service of services) {
    for (const bytes of (await asks({ fileContainingSymbol: service })).fileDescriptorResponse.fileDescriptorProto) await add(bytes);
  }
  return [...files.values()];
}

async function until(what, call) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      const told = await call();
      if (told !== undefined) return told;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    if (Date.now() > deadline) throw new Error(`still not: ${what}`);
    await new Promise((again) => setTimeout(again, 50));
  }
}

const services = (await asks({ listServices: "*" })).listServicesResponse.service.map(({ name }) => name);
const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: await filesOf(services) }));
const at = (url) => ({
  kv: clientOf(registry.getService("etcdserverpb.KV"), url),
  watch: clientOf(registry.getService("etcdserverpb.Watch"), url),
  lease: clientOf(registry.getService("etcdserverpb.Lease"), url),
  cluster: clientOf(registry.getService("etcdserverpb.Cluster"), url),
  maintenance: clientOf(registry.getService("etcdserverpb.Maintenance"), url),
  auth: clientOf(registry.getService("etcdserverpb.Auth"), url),
  lock: clientOf(registry.getService("v3lockpb.Lock"), url),
  election: clientOf(registry.getService("v3electionpb.Election"), url),
  health: clientOf(registry.getService("grpc.health.v1.Health"), url),
  reflection: clientOf(registry.getService("grpc.reflection.v1.ServerReflection"), url),
});
const here = at(origin);
const bytes = (text) => new TextEncoder().encode(text);

/** Users on, while somebody who is root does something; then all is as it was. */
async function secured(does) {
  const { auth } = here;
  await auth.userAdd({ name: "root", password: "secret" });
  await auth.roleAdd({ name: "root" });
  await auth.userGrantRole({ user: "root", role: "root" });
  await auth.authEnable({});
  const token = async () => (await auth.authenticate({ name: "root", password: "secret" })).token;
  const told = await does({ headers: { authorization: await token() } });
  await auth.authDisable({}, { headers: { authorization: await token() } });
  await auth.userDelete({ name: "root" });
  await auth.roleDelete({ role: "root" });
  return told;
}

/** What a call is refused with: its code and its words. */
async function refusal(call) {
  try {
    await call;
    return undefined;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return [code, rawMessage];
  }
}

window.stock = {
  ...here, at, bytes, take, until, secured, refusal,
  text: (bytes) => new TextDecoder().decode(bytes),
  /** Of all that the server has: the kind, by the name. */
  methods: Object.fromEntries(
    services.flatMap((name) => registry.getService(name).methods.map((method) => [`${name}.${method.name}`, method.methodKind])),
  ),
  taken: () => {
    const names = [...called];
    called.clear();
    return names;
  },
};

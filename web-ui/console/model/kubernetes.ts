// What Kubernetes' API server stores: four bytes, then a message that says which type it is and has the object in it. The object
// is read without its schema: names are known for what all objects have, numbers stand for the rest.
import { textOf } from "./keys";
import { type Field, type Tree, fields, leaf, numbered, varintOf } from "./protobuf";

const MAGIC = [0x6b, 0x38, 0x73, 0x00];

export function isKubernetes(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, at) => bytes[at] === byte);
}

export interface Shown {
  apiVersion: string;
  kind: string;
  object: Tree;
}

/** The object, as far as it can be read; nothing where it is damaged. */
export function read(bytes: Uint8Array): Shown | undefined {
  const outer = isKubernetes(bytes) ? fields(bytes.subarray(MAGIC.length)) : undefined;
  const type = fields(bytesOf(outer, 1));
  const raw = bytesOf(outer, 2);
  if (!outer || !type) return undefined;
  const apiVersion = textOf(bytesOf(type, 1)) ?? "";
  const kind = textOf(bytesOf(type, 2)) ?? "";
  return { apiVersion, kind, object: objectOf(raw, kind) };
}

/** Of these the second field is what is wished for, and the third what is. */
const WITH_SPEC = new Set(
  "CronJob CustomResourceDefinition DaemonSet Deployment HorizontalPodAutoscaler Ingress Job Namespace Node PersistentVolume PersistentVolumeClaim Pod PodDisruptionBudget ReplicaSet ReplicationController ResourceQuota Service StatefulSet".split(" "),
);
const NAMES: Record<string, Record<string, string> | undefined> = {
  ConfigMap: { "#2": "data", "#3": "binaryData" },
  Lease: { "#2": "spec" },
  Secret: { "#2": "data", "#3": "type" },
};

function objectOf(raw: Uint8Array, kind: string): Tree {
  const all = fields(raw);
  if (!all) return textOf(raw) ?? `${raw.length} bytes`;
  const rest = numbered(all.filter((field) => field.number !== 1));
  const names = WITH_SPEC.has(kind) ? { "#2": "spec", "#3": "status" } : NAMES[kind];
  const named = Object.entries(rest).map(([number, value]): [string, Tree] => [names?.[number] ?? number, value]);
  return { metadata: metadataOf(bytesOf(all, 1)), ...Object.fromEntries(named) };
}

const METADATA: Record<number, string> = {
  1: "name",
  2: "generateName",
  3: "namespace",
  5: "uid",
  6: "resourceVersion",
  7: "generation",
  8: "creationTimestamp",
  9: "deletionTimestamp",
  11: "labels",
  12: "annotations",
  14: "finalizers",
};

function metadataOf(bytes: Uint8Array): Tree {
  const tree: Record<string, Tree> = {};
  for (const field of fields(bytes) ?? []) {
    const name = METADATA[field.number];
    // Who has set which field is long, and of no use here.
    if (name === undefined || field.value.length === 0) continue;
    if (name === "labels" || name === "annotations") {
      const entry = fields(field.value);
      const all = (tree[name] ??= {}) as Record<string, Tree>;
      all[textOf(bytesOf(entry, 1)) ?? ""] = textOf(bytesOf(entry, 2)) ?? "";
    } else if (name.endsWith("Timestamp")) {
      const seconds = fields(field.value)?.find((part) => part.number === 1);
      tree[name] = seconds ? new Date(Number(varintOf(seconds)) * 1000).toISOString() : "";
    } else tree[name] = leaf(field);
  }
  return tree;
}

function bytesOf(all: readonly Field[] | undefined, number: number): Uint8Array {
  return all?.find((field) => field.number === number && !field.isNumber)?.value ?? new Uint8Array();
}

// The document that the server describes itself with.
import { type Document, Spec } from "../model/spec";
import { address } from "./base";

export async function load(): Promise<Spec> {
  const response = await fetch(address("openapi.json"));
  if (!response.ok) throw new Error(`/openapi.json: ${response.status} ${response.statusText}`);
  return new Spec((await response.json()) as Document);
}

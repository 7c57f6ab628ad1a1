// What is played of an RPC.
import type { Stock } from "../stock.ts";

export interface Given {
  /** Where the member listens that comes to the cluster. */
  peer: string;
  /** Starts it. In the page, by its name. */
  starts: string;
}

type Play = (stock: Stock, given: Given) => Promise<unknown>;

export interface Row {
  /** Runs in the page: it may use nothing from around it, and leaves the cluster as it was. */
  play: Play;
  gives: unknown;
}

export function row(play: Play, gives: unknown): Row {
  return { play, gives };
}

/** Codes of gRPC. */
export const code = {
  UNKNOWN: 2, INVALID_ARGUMENT: 3, DEADLINE_EXCEEDED: 4, NOT_FOUND: 5, RESOURCE_EXHAUSTED: 8, FAILED_PRECONDITION: 9, OUT_OF_RANGE: 11,
  UNAUTHENTICATED: 16,
} as const;

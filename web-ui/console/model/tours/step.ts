// A guided tour: steps that are calls, each written as in the console. What one is answered with may be wanted by the next ones.

export interface Step {
  title: string;
  about: string;
  /** The call; `{lease}` stands for what a step before has taken. */
  call: string;
  /** What it is answered with, if all is as it should be; 200 or 201 if nothing is said. A refusal may be what is shown. */
  status?: number;
  /** What of the answer, its headers among it, is kept under a name: the first group of it. */
  takes?: { name: string; from: RegExp };
}

export interface Tour {
  id: string;
  title: string;
  about: string;
  steps: readonly Step[];
}

/** Below it is all that a tour writes. */
export const ROOT = "tour/";

export function prefixOf({ id }: Tour): string {
  return `${ROOT}${id}/`;
}

/** The call with what is known, and the names that are not. */
export function filled(call: string, known: Readonly<Record<string, string>>): { call: string; missing: string[] } {
  const missing: string[] = [];
  const text = call.replace(/\{([a-z]+)\}/g, (whole, name: string) => {
    const value = Object.hasOwn(known, name) ? known[name] : undefined;
    if (value === undefined) missing.push(name);
    return value ?? whole;
  });
  return { call: text, missing };
}

/** What a step takes of an answer. */
export function taken({ takes }: Step, answer: string): Record<string, string> {
  const value = takes?.from.exec(answer)?.[1];
  return takes && value !== undefined ? { [takes.name]: value } : {};
}

export function isExpected({ status }: Step, got: number | undefined): boolean {
  return status === undefined ? got === 200 || got === 201 : got === status;
}

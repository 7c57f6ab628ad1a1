// Why the server says no, and that it says nothing.

export interface Details {
  type?: string;
  title?: string;
  detail?: string;
  current_revision?: string;
  oldest_revision?: string;
}

export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly details: Details,
  ) {
    super(details.detail ?? details.title ?? `the server answers ${status}`);
    this.name = "Problem";
  }

  /** The last part of its type: `revision-mismatch`. */
  get kind(): string {
    return this.details.type?.split("/").pop() ?? "";
  }

  static async of(response: Response): Promise<Problem> {
    const text = await response.text().catch(() => "");
    try {
      const body = JSON.parse(text) as Details & { message?: string };
      return new Problem(response.status, { ...body, detail: body.detail ?? body.message ?? text });
    } catch {
      return new Problem(response.status, { detail: text.trim() || response.statusText });
    }
  }
}

/** Nobody answered. */
export class Unreachable extends Error {
  constructor() {
    super("the server does not answer");
    this.name = "Unreachable";
  }
}

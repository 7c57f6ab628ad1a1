// What a page has to do for something: counted, where it can be, and in time of its own processor, which a machine that is busy with
// other things does not make longer. How soon that is on a screen is the machine's to say.
import type { CDPSession, Page } from "@playwright/test";

/** Whether times decide, too: on a machine that does nothing else. */
export const TIMED = process.env.KEYPORT_CONSOLE_TIMED !== undefined;

export interface Work {
  /** Times that the page was laid out, and that styles were computed. */
  layouts: number;
  styles: number;
  /** Seconds of the main thread's processor time. */
  busy: number;
}

export interface Held {
  /** Bytes of JavaScript's heap, and nodes of documents, with what is garbage taken away. */
  heap: number;
  nodes: number;
}

export class Meter {
  private constructor(readonly session: CDPSession) {}

  static async of(page: Page): Promise<Meter> {
    const session = await page.context().newCDPSession(page);
    await session.send("Performance.enable", { timeDomain: "threadTicks" });
    return new Meter(session);
  }

  async #read(): Promise<Record<string, number>> {
    const { metrics } = await this.session.send("Performance.getMetrics");
    return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  }

  /** What is done while something runs. */
  async during<T>(run: () => Promise<T>): Promise<Work & { result: T }> {
    const before = await this.#read();
    const result = await run();
    const after = await this.#read();
    const more = (name: string): number => (after[name] ?? Number.NaN) - (before[name] ?? Number.NaN);
    return { result, layouts: more("LayoutCount"), styles: more("RecalcStyleCount"), busy: more("TaskDuration") };
  }

  async held(): Promise<Held> {
    // What is only weakly held goes with the second.
    for (let round = 0; round < 2; round += 1) await this.session.send("HeapProfiler.collectGarbage");
    const { JSHeapUsedSize: heap = Number.NaN, Nodes: nodes = Number.NaN } = await this.#read();
    return { heap, nodes };
  }
}

// What a page costs before it shows anything. Sizes and numbers are held here; times are told, and held where somebody asks for it on
// a quiet machine: `KEYPORT_CONSOLE_TIMED=1 KEYPORT_BIN=…/target/release/keyport npx playwright test budgets many watch`.
import { expect, test } from "../lib/test.ts";
import { TIMED } from "../lib/work.ts";

/** Of what comes over the network until the screen is there. */
const MOST_BYTES = 300 * 1024;
const MOST_FILES = 30;
const PAINT_MS = 1_000;
const ROUNDS = 5;

interface Paint {
  /** Milliseconds since somebody went there. */
  first: number;
  /** When the screen itself was there. */
  shown: number;
  files: number;
  bytes: number;
}

for (const [screen, heading] of [["overview", "Overview"], ["keys", "Nothing is stored yet"]] as const) {
  test(`${screen} comes in few files, which are small`, async ({ browser, server }) => {
    test.skip(process.env.KEYPORT_CONSOLE_FILES !== undefined, "it is about what the server sends");
    const paints: Paint[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // Nothing is kept from one to the next.
      const context = await browser.newContext({ reducedMotion: "reduce" });
      const page = await context.newPage();
      await page.goto(server.page(screen));
      await expect(page.getByRole("heading", { name: heading })).toBeAttached();
      paints.push(await page.evaluate(paint));
      await context.close();
    }
    for (const { files, bytes } of paints) {
      expect(bytes).toBeGreaterThan(10_000);
      expect(bytes).toBeLessThan(MOST_BYTES);
      expect(files).toBeLessThan(MOST_FILES);
    }
    const best = (of: (paint: Paint) => number): number => Math.min(...paints.map(of));
    const [first, shown] = [best(({ first }) => first), best(({ shown }) => shown)];
    if (TIMED) expect(shown).toBeLessThan(PAINT_MS);
    const [one] = paints;
    console.log(`${screen}: first paint after ${first.toFixed(0)} ms, the screen after ${shown.toFixed(0)} ms, ${one?.files} files, ${((one?.bytes ?? 0) / 1024).toFixed(0)} KiB`);
  });
}

/** In the page, as soon as the screen is there. */
async function paint(): Promise<Paint> {
  const shown = performance.now();
  const first = await new Promise<number>((told) => {
    new PerformanceObserver((list) => {
      const [entry] = list.getEntriesByName("first-contentful-paint");
      if (entry) told(entry.startTime);
    }).observe({ type: "paint", buffered: true });
  });
  const loaded = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")] as PerformanceResourceTiming[];
  const files = loaded.filter(({ name }) => new URL(name).pathname.includes("/ui/"));
  return { first, shown, files: files.length, bytes: files.reduce((sum, { transferSize }) => sum + transferSize, 0) };
}

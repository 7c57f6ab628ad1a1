// A hundred thousand keys side by side.
import { expect, rows, test } from "../lib/test.ts";
import { Meter, TIMED } from "../lib/work.ts";

const COUNT = 100_000;
/** Rows that the page may have at once, however many there are. */
const MOST_ROWS = 120;
const ROW_PIXELS = 30;
const FRAMES_A_SECOND = 50;
/** Of processor time, for a frame: what so many leave, and where others are at work, some more. */
const FRAME_MS = (TIMED ? 1 : 3) * (1_000 / FRAMES_A_SECOND);
const FRAMES = 120;
/** As a finger or a wheel does it. */
const SLOW_PIXELS = 400;
/** By which the heap may differ where nothing is kept. */
const MOST_GROWN_BYTES = 8 * 1024 * 1024;

test("a hundred thousand siblings are a list like any other", async ({ page, server }) => {
  test.setTimeout(600_000);
  await server.fill(COUNT, (at) => `flat/${String(at).padStart(6, "0")}`);
  await page.goto(server.page("keys/flat/"));
  await expect(rows(page, { name: "000000" })).toBeVisible();
  const list = page.getByRole("listbox", { name: "Keys and levels" });
  await list.focus();
  await expect(async () => {
    await page.keyboard.press("End");
    await expect(page.getByText("100\u202f000 here")).toBeVisible({ timeout: 50 });
  }).toPass({ timeout: 480_000, intervals: [20] });
  await page.keyboard.press("End");
  await expect(rows(page, { name: "099999" })).toBeVisible();
  expect(await rows(page).count()).toBeLessThan(MOST_ROWS);

  // One comes, one goes, and nothing else is asked for.
  const asked: string[] = [];
  page.on("request", (request) => asked.push(request.url()));
  await server.put("flat/099999a", "new");
  await expect(rows(page, { name: "099999a" })).toBeVisible();
  await server.call("DELETE", "/v3/keys/flat/099998");
  await expect(rows(page, { name: "099998" })).toHaveCount(0);
  await expect(page.getByText("100\u202f000 here")).toBeVisible();
  expect(asked).toEqual([]);

  // What a frame costs while it is scrolled from end to end: rows that come in, one layout, and a part of the time that 50 frames a
  // second leave. How many there are is told below; a machine that is busy makes fewer, and no more work.
  const meter = await Meter.of(page);
  const scrolled = (pixels: number, mostStep: number) => list.evaluate(scroll, { pixels, mostStep });
  const whole = COUNT * ROW_PIXELS;
  const toTheTop = () => list.evaluate((element) => element.scrollTo(0, 0));
  await toTheTop();
  await expect(rows(page, { name: "000000" })).toBeVisible();
  const first = await meter.held();
  const slow = await meter.during(() => scrolled(SLOW_PIXELS * FRAMES, SLOW_PIXELS));
  const fast = await meter.during(() => scrolled(whole, whole / FRAMES));
  const perFrame = ({ result, layouts, styles, busy }: typeof slow) => ({ layouts: layouts / result.frames, styles: styles / result.frames, busy: (busy * 1_000) / result.frames });
  for (const work of [slow, fast]) {
    expect(work.result.frames).toBeGreaterThanOrEqual(FRAMES);
    expect(work.result.mostRows).toBeLessThan(MOST_ROWS);
    expect(perFrame(work).layouts).toBeLessThan(3);
    expect(perFrame(work).styles).toBeLessThan(5);
    expect(perFrame(work).busy).toBeLessThan(FRAME_MS);
    if (TIMED) expect(work.result.rate).toBeGreaterThan(FRAMES_A_SECOND);
  }
  // Those that come in at once are the rows of one step, and not all of the page's.
  expect(slow.result.mostNew).toBeLessThan(2 * Math.ceil(SLOW_PIXELS / ROW_PIXELS) + 12);

  // Memory is flat: having seen all of it costs nothing that stays.
  await toTheTop();
  await expect(rows(page, { name: "000000" })).toBeVisible();
  const last = await meter.held();
  expect(last.nodes - first.nodes).toBeLessThan(MOST_ROWS * 10);
  expect(last.heap - first.heap).toBeLessThan(MOST_GROWN_BYTES);
  expect(asked).toEqual([]);
  const told = (work: typeof slow): string => `${work.result.rate.toFixed(0)} frames a second, ${perFrame(work).busy.toFixed(1)} ms of work each`;
  console.log(`scrolling slowly: ${told(slow)}; from end to end: ${told(fast)}; heap ${(first.heap / 2 ** 20).toFixed(1)} MiB, then ${(last.heap / 2 ** 20).toFixed(1)} MiB`);
});

/** In the page: scrolls so far, a step each frame, and tells how many frames that was, and what came into the page. */
async function scroll(element: Element, { pixels, mostStep }: { pixels: number; mostStep: number }): Promise<{ frames: number; rate: number; mostRows: number; mostNew: number }> {
  const steps = Math.ceil(pixels / mostStep);
  let [added, mostRows, mostNew] = [0, 0, 0];
  const observer = new MutationObserver((records) => { added += records.reduce((sum, { addedNodes }) => sum + addedNodes.length, 0); });
  observer.observe(element.firstElementChild ?? element, { childList: true });
  const began = performance.now();
  for (let step = 0; step < steps; step += 1) {
    element.scrollTop += pixels / steps;
    await new Promise(requestAnimationFrame);
    mostRows = Math.max(mostRows, element.querySelectorAll("[role=option]").length);
    mostNew = Math.max(mostNew, added);
    added = 0;
  }
  observer.disconnect();
  return { frames: steps, rate: (steps / (performance.now() - began)) * 1_000, mostRows, mostNew };
}

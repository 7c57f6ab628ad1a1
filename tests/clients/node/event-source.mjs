// A browser's own EventSource against the server's event stream: usage `event-source.mjs URL`.
// Prints one line of JSON for each thing the page saw; the caller writes keys and looks at the lines.
import { launch, open } from "./browser.mjs";

const [url] = process.argv.slice(2);
const browser = await launch();
try {
  const page = await open(browser);
  await page.exposeFunction("report", (line) => console.log(JSON.stringify(line)));
  await page.goto(new URL("/version", url).href); // a page of the same origin
  await page.evaluate((source) => {
    const events = new EventSource(source);
    events.onopen = () => window.report({ open: true });
    events.onerror = () => window.report({ error: events.readyState });
    for (const kind of ["put", "delete", "synced", "bookmark", "compacted"]) {
      events.addEventListener(kind, (e) => window.report({ kind, id: e.lastEventId, data: e.data }));
    }
  }, url);
  // Ends when the caller closes our input.
  await new Promise((done) => process.stdin.on("end", done).resume());
} finally {
  await browser.close();
}

// The system's own browser, without anything that it does by itself.
import { chromium } from "playwright-core";

export const launch = (...more) => chromium.launch({
  executablePath: "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    ...more,
  ],
});

/** How long anything may take: many browsers may share the machine, and what comes late comes all the same. */
export const PATIENCE_MS = 120_000;

/** A page of a browser, or of a context of one. */
export async function open(whose) {
  const page = await whose.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return page;
}

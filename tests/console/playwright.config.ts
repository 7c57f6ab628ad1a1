import { defineConfig } from "@playwright/test";

export default defineConfig({
  testDir: "specs",
  outputDir: "results",
  workers: 2,
  fullyParallel: true,
  forbidOnly: true,
  // What comes late comes all the same: these are for what never does, and many browsers may share the machine.
  timeout: 600_000,
  expect: { timeout: 120_000 },
  reporter: [["list"]],
  use: {
    viewport: { width: 1440, height: 900 },
    // A page that asks for nothing more stays as it is: what moves is no news.
    contextOptions: { reducedMotion: "reduce" },
    launchOptions: {
      executablePath: "/usr/bin/chromium",
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    },
  },
});

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// A running server, which answers what is not the console while one develops it.
const SERVER = process.env.KEYPORT_URL ?? "http://localhost:2379";

// Of the editor's dialects of SQL and of XML one each is wanted: what makes the others does nothing else, so they can be left out.
const dialects = {
  name: "dialects",
  transform: (code: string, id: string) => (/legacy-modes\/mode\/(sql|xml)\.js$/.test(id) ? code.replace(/(?<!function )\b(sql|set|mkXML)\(/g, "/* @__PURE__ */ $1(") : undefined),
};

export default defineConfig(({ command }) => ({
  // Files are found from where the page is, wherever a proxy has put it. Developing, the page is where the server has it.
  base: command === "serve" ? "/ui/" : "./",
  plugins: [react(), dialects],
  build: {
    target: "es2023",
    assetsDir: "",
    // Nothing stands in the page: the policy would not let it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // What several screens need of these is one file, and not a file for each set of screens. Calls that
    // somebody writes are for two that are rare.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "shared", test: /\/console\/(model\/(?!query|tours)|api\/)/, minShareCount: 2 }] } } },
  },
  server: {
    proxy: {
      "/ui/settings.json": SERVER,
      "^/(v3|health|livez|readyz|metrics|version|docs|openapi|debug|problems)": SERVER,
    },
  },
  test: { include: ["console/**/*.test.ts"], environment: "node" },
}));


import "./shell/theme";
import "./shell/theme.css";

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { Problem } from "./api/problem";
import { reach } from "./api/reach";
import * as session from "./api/session";
import * as settings from "./api/settings";
import * as turns from "./api/turns";
import { Shell } from "./shell/Shell";

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      // What the server refuses it refuses again; that it does not answer may pass.
      retry: (count, error) => !(error instanceof Problem && error.status < 500) && count < 2,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

async function begin(): Promise<void> {
  await Promise.allSettled([settings.load(), session.load()]);
}

// Whatever was asked in vain is asked again as soon as somebody answers.
let before = reach.get();
reach.subscribe(() => {
  const now = reach.get();
  if (before === "away" && now === "here") {
    if (settings.settings.get() === undefined) void begin();
    void queries.invalidateQueries();
  }
  before = now;
});
// Another user sees other things.
let user = session.session.get()?.user;
session.session.subscribe(() => {
  const now = session.session.get()?.user;
  if (now !== user && user !== undefined) queries.clear();
  user = now ?? user;
});

turns.begin();

const root = document.getElementById("console");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={queries}>
        <Shell />
      </QueryClientProvider>
    </StrictMode>,
  );
  void begin();
}

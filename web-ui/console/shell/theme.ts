// Light or dark: as the system has it, unless somebody says otherwise.
import { keep } from "../api/local";
import { Store } from "../api/store";

export type Theme = "auto" | "light" | "dark";

const KEPT = "keyport.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const kept = localStorage.getItem(KEPT);

export const theme = new Store<Theme>(kept === "light" || kept === "dark" ? kept : "auto");

function apply(): void {
  const wish = theme.get();
  document.documentElement.dataset.theme = wish === "auto" ? (dark.matches ? "dark" : "light") : wish;
}

export function choose(wish: Theme): void {
  if (wish === "auto") localStorage.removeItem(KEPT);
  else keep(KEPT, wish);
  theme.set(wish);
  apply();
}

dark.addEventListener("change", apply);
apply();

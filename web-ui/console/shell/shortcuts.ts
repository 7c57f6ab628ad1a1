// Keys that work on every screen. What is typed into a field is not for here.
import { useEffect, useEffectEvent } from "react";

import { isField } from "../model/field";
import { go, link } from "../parts/route";
import { screens } from "../screens";

const SECOND_KEY_MS = 1_500;

export function useShortcuts({ palette, help }: { palette: () => void; help: () => void }): void {
  const open = useEffectEvent(palette);
  const tell = useEffectEvent(help);
  useEffect(() => {
    let since = Number.NEGATIVE_INFINITY;
    const pressed = (event: KeyboardEvent): void => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open();
        return;
      }
      const isBusy = isField(event.composedPath()[0]) || document.querySelector("[role=dialog]") !== null;
      if (isBusy || event.ctrlKey || event.metaKey || event.altKey) return;
      const screen = event.timeStamp - since < SECOND_KEY_MS ? screens.find((each) => each.key === event.key) : undefined;
      since = event.key === "g" ? event.timeStamp : Number.NEGATIVE_INFINITY;
      const field = event.key === "/" ? document.querySelector<HTMLElement>("[data-search]") : undefined;
      const list = event.key === "j" || event.key === "k" ? listFor(event.target) : undefined;
      if (screen) go(link(screen.id));
      else if (event.key === "?") tell();
      else if (field) field.focus();
      else if (list) {
        list.focus();
        list.dispatchEvent(new KeyboardEvent("keydown", { key: event.key, bubbles: true, cancelable: true }));
      }
      else return;
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}

/** The list of the screen, for keys that move in it, from wherever they do nothing else. */
function listFor(target: EventTarget | null): HTMLElement | undefined {
  if (target instanceof Element && target.closest("[role=listbox], [role=menu]")) return undefined;
  return document.querySelector<HTMLElement>("main [role=listbox]") ?? undefined;
}

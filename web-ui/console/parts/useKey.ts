// A letter that does something on a screen, while nobody types and no dialog is open.
import { useEffect, useEffectEvent } from "react";

import { isField } from "../model/field";

export function useKey(key: string, run: (() => void) | undefined): void {
  const pressed = useEffectEvent((event: KeyboardEvent) => {
    if (!run || event.key !== key || event.ctrlKey || event.metaKey || event.altKey || isField(event.composedPath()[0])) return;
    if (event.defaultPrevented || document.querySelector("[role=dialog]")) return;
    event.preventDefault();
    run();
  });
  useEffect(() => {
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}

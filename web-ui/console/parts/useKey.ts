// A letter that does something on a screen, while nobody types and no dialog is open.
import { useEffect, useEffectEvent } from "react";

export function useKey(key: string, run: (() => void) | undefined): void {
  const pressed = useEffectEvent((event: KeyboardEvent) => {
    const [target] = event.composedPath();
    const isField = target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
    if (!run || event.key !== key || event.ctrlKey || event.metaKey || event.altKey || isField) return;
    if (event.defaultPrevented || document.querySelector("[role=dialog]")) return;
    event.preventDefault();
    run();
  });
  useEffect(() => {
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, []);
}

// Where what is typed goes.

/** Whether an element takes text. */
export function isField(element: EventTarget | null | undefined): boolean {
  return element instanceof HTMLElement && (element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName));
}

/** Whether the keyboard is in a field. An editor lives in a shadow root, and the page knows no more than its host. */
export function isTyping(): boolean {
  let at = document.activeElement;
  while (at?.shadowRoot?.activeElement) at = at.shadowRoot.activeElement;
  return isField(at) && !at?.matches("[type=checkbox], [type=radio], [type=file]");
}

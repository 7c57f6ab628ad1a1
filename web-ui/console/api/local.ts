// What a browser keeps of the console, for each address by itself.

export function keep(name: string, text: string): void {
  try {
    localStorage.setItem(name, text);
  } catch {
    // The browser has no room for it, or gives pages none: it is there until the page is closed.
  }
}

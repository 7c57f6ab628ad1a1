// The dialog that asks who one is.
import type { Locator, Page } from "@playwright/test";

export function loginOf(page: Page): Locator {
  return page.getByRole("dialog", { name: "Log in" });
}

/** Says who one is; nothing where the page knows the name, and wants the password alone. */
export async function logIn(page: Page, { user, password }: { user?: string; password: string }): Promise<void> {
  const login = loginOf(page);
  if (user !== undefined) await login.getByLabel("User").fill(user);
  await login.getByLabel("Password").fill(password);
  await login.getByRole("button", { name: "Log in" }).click();
}

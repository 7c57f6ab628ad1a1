// A token that is sent in place of the login, for as long as the tab is open.
import { useState } from "react";

const NAME = "keyport-explorer-token";

export function useToken(): [string, (token: string) => void] {
  const [token, setToken] = useState(() => sessionStorage.getItem(NAME) ?? "");
  return [token, (to) => { sessionStorage.setItem(NAME, to); setToken(to); }];
}

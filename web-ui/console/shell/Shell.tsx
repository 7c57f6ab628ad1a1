// What is around every screen.
import { Suspense, lazy, useEffect, useState } from "react";

import { EVERY_MS, streams } from "../api/live";
import { reach } from "../api/reach";
import { asked, login, session } from "../api/session";
import { settings } from "../api/settings";
import { useStore } from "../api/store";
import { isLive } from "../api/turns";
import { Button } from "../parts/Button";
import { go, link, useRoute } from "../parts/route";
import { Boundary, Empty, Loading } from "../parts/States";
import { Toasts } from "../parts/Toasts";
import { screens } from "../screens";
import { Help } from "./Help";
import { Login } from "./Login";
import { Nav } from "./Nav";
import { Palette } from "./Palette";
import styles from "./Shell.module.css";
import { useShortcuts } from "./shortcuts";
import { Top } from "./Top";

/** It is rare, and loaded when it is wanted. */
const Consoles = lazy(() => import("./consoles/Manage"));

export function Shell() {
  const route = useRoute();
  const [over, setOver] = useState<"palette" | "help" | "consoles">();
  const [menu, setMenu] = useState(false);
  const [ask, who, set, server] = [useStore(asked), useStore(session), useStore(settings), useStore(reach)];
  const [hasStreams, live] = [useStore(streams) > 0, useStore(isLive)];
  const screen = screens.find((each) => each.id === route.screen);
  const first = screens[0];

  useShortcuts({ palette: () => setOver("palette"), help: () => setOver("help") });
  useEffect(() => {
    if (route.screen === "" && first) go(link(first.id), { replace: true });
    document.title = screen ? `${screen.title} · Keyport` : "Keyport";
  }, [route.screen, first, screen]);

  const View = screen?.view;
  return (
    <div className={styles.shell}>
      <a className={styles.skip} href="#main" onClick={(event) => { event.preventDefault(); document.getElementById("main")?.focus(); }}>
        Skip to the content
      </a>
      <Top title={screen?.title ?? ""} onMenu={() => setMenu(!menu)} onPalette={() => setOver("palette")} onConsoles={() => setOver("consoles")} onHelp={() => setOver("help")} />
      <Nav at={route.screen} isOpen={menu} onClose={() => setMenu(false)} />
      <main id="main" className={styles.main} tabIndex={-1}>
        {server === "away" && (
          <div className={styles.banner} role="alert">The server does not answer. Trying again, until it does.</div>
        )}
        {ask?.isOpen === false && (
          <div className={`${styles.note} ${styles.over}`} role="status">
            {who?.user === undefined ? "You are not logged in: what the page shows may be missing or old." : "The session is over: what the page shows is not kept up to date."}
            <Button onClick={() => void login(true)}>Log in</Button>
          </div>
        )}
        {set?.mode === "read-only" && <div className={styles.note}>Read-only: this console shows, and changes nothing.</div>}
        <Boundary at={route.screen}>
          <Suspense fallback={<Loading what={screen?.title.toLowerCase() ?? ""} />}>
            {View && <View route={route} />}
            {!View && route.screen !== "" && (
              <Empty title="There is no such screen">
                <Button onClick={() => { if (first) go(link(first.id)); }}>To the start</Button>
              </Empty>
            )}
          </Suspense>
        </Boundary>
      </main>
      <div className={styles.looks} role="status">
        {hasStreams && !live && `Looks every ${EVERY_MS / 1_000} s: a browser has six connections, and other pages of the console have them. Live when it is used.`}
      </div>
      {over === "palette" && <Palette onClose={() => setOver(undefined)} onConsoles={() => setOver("consoles")} onHelp={() => setOver("help")} />}
      {over === "help" && <Help onClose={() => setOver(undefined)} />}
      {over === "consoles" && <Suspense><Consoles onClose={() => setOver(undefined)} /></Suspense>}
      {ask?.isOpen === true && <Login user={who?.user} onDone={ask.done} />}
      <Toasts />
    </div>
  );
}

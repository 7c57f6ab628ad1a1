import { Fragment } from "react";

import { Dialog } from "../parts/Dialog";
import { inSentence, screens } from "../screens";
import styles from "./Help.module.css";

const KEYS: readonly (readonly [string, string])[] = [
  ["Ctrl K", "go anywhere, do anything"],
  ["/", "search"],
  ["j  k", "down, up in a list"],
  ["Enter", "open"],
  ["Space", "choose a row, Shift with a step those on the way"],
  ["Ctrl A", "choose all that are loaded, Escape none"],
  ["n", "a new key"],
  ["e", "edit the open key"],
  ["Ctrl S", "save"],
  ["Ctrl Enter", "run the call at the cursor, or send the request"],
  ["?", "this"],
];

export function Help({ onClose }: { onClose: () => void }) {
  const all = [...KEYS, ...screens.map(({ key, title }) => [`g  ${key}`, `to ${inSentence(title)}`] as const)];
  return (
    <Dialog title="Keyboard" onClose={onClose}>
      <dl className={styles.keys}>
        {all.map(([keys, what]) => (
          <Fragment key={keys}>
            <dt>{keys.split("  ").map((key) => <kbd key={key}>{key}</kbd>)}</dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
    </Dialog>
  );
}

// Text and base64 side by side, each following the other. It is in no form: Enter does nothing here.
import { useState } from "react";

import { TextField } from "../../parts/Fields";
import { fromBase64, prefixEnd, toBase64 } from "../../model/bytes";
import styles from "./Explorer.module.css";

export function Converter() {
  const [base64, setBase64] = useState("");
  const text = fromBase64(base64);
  return (
    <details className={styles.fold2}>
      <summary>Base64 converter</summary>
      <div className={styles.pair}>
        <TextField label="Text" mono value={text ?? ""} placeholder={text === undefined ? "no text" : "foo"} onChange={(event) => setBase64(toBase64(event.target.value))} />
        <TextField label="Base64" mono value={base64} placeholder="Zm9v" onChange={(event) => setBase64(event.target.value)} />
      </div>
      <p className={styles.hint}>As a prefix, its range_end: <code>{text === undefined ? "–" : prefixEnd(base64)}</code></p>
    </details>
  );
}

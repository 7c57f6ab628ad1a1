import { useState } from "react";

import { exportAddress, exported } from "../../api/transfer";
import { endpoint } from "../../api/base";
import { curl, etcdctl, quotedKey } from "../../model/copy";
import { type Key, base64, ofText, show, textOf, toBytes } from "../../model/keys";
import { count, plural } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { TextField } from "../../parts/Fields";
import { save } from "../../parts/file";
import { Card, Note } from "../../parts/Page";
import { link } from "../../parts/route";
import { useMay } from "../may";
import { type Format, Written } from "../written";
import styles from "./Backup.module.css";

const FORMATS: readonly (readonly [Format, string, string])[] = [
  ["ndjson", "NDJSON", "application/x-ndjson"],
  ["json", "JSON", "application/json"],
  ["yaml", "YAML", "application/yaml"],
];

export function Export({ prefix: first }: { prefix: Key }) {
  const [text, setText] = useState(textOf(toBytes(first)) ?? "");
  const [busy, setBusy] = useState<{ format: Format; count: number }>();
  const [error, setError] = useState<string>();
  const [unknown, setUnknown] = useState(0);
  const prefix = ofText(text);
  const { read: mayRead } = useMay({ prefix_b64: base64(prefix) });
  const run = async (format: Format, type: string): Promise<void> => {
    setError(undefined);
    setUnknown(0);
    setBusy({ format, count: 0 });
    try {
      const file = new Written(format);
      setUnknown(await exported(prefix, (keys) => setBusy({ format, count: file.take(keys) })));
      save(`${show(prefix).replace(/[^\w.-]+/g, "-").replace(/^-|-$/g, "") || "keys"}.${format}`, await file.parts(), type);
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
    }
    setBusy(undefined);
  };
  const commands = [
    { label: "Copy as curl", text: curl({ url: exportAddress(prefix) }).replace("curl -s", "curl -fOJ") },
    { label: "Copy as etcdctl", text: etcdctl(endpoint, prefix === "" ? "get --prefix -w json ''" : `get --prefix -w json -- ${quotedKey(prefix)}`) },
    { label: "Copy link", text: new URL(link("backup", "", { prefix: text }), document.baseURI).href },
  ];
  return (
    <Card title="Export a subtree" tools={<CopyAs commands={commands} />}>
      <p className={styles.text}>Keys and values as they are now, of one revision: a line of JSON for each, or one document. What is not text is in base64. A key that has a lease tells its time to live, granted and left, and keys that share one say so by its id.</p>
      <div className={styles.line}>
        <div className={styles.grow}><TextField label="Prefix" mono placeholder="app/ (empty: all keys)" value={text} onChange={(event) => setText(event.target.value)} /></div>
        {FORMATS.map(([format, name, type]) => (
          <Button key={format} look={format === "ndjson" ? "main" : "plain"} disabled={busy !== undefined || !mayRead} onClick={() => void run(format, type)}>
            {busy?.format === format ? `${count(busy.count)} keys` : name}
          </Button>
        ))}
      </div>
      {!mayRead && <div className={styles.under}><Note>Your roles do not let you read {prefix === "" ? "all keys: type a prefix that they do" : <>all keys that begin with <code>{text}</code></>}.</Note></div>}
      {unknown > 0 && <div className={styles.under}><Note>The time to live of {plural(unknown, "lease")} is not in the file: it has ended meanwhile, or your roles do not let you see it.</Note></div>}
      {error !== undefined && <p className={styles.error} role="alert">{error}</p>}
    </Card>
  );
}

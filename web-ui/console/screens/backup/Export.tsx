import { useState } from "react";

import { asJson, exportAddress } from "../../api/transfer";
import { endpoint } from "../../api/base";
import { curl, etcdctl, quotedKey } from "../../model/copy";
import { type Key, base64, ofText, show, textOf, toBytes } from "../../model/keys";
import { count } from "../../model/text";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { TextField } from "../../parts/Fields";
import { save } from "../../parts/file";
import { Card, Note } from "../../parts/Page";
import { link } from "../../parts/route";
import { useMay } from "../may";
import styles from "./Backup.module.css";

export function Export({ prefix: first }: { prefix: Key }) {
  const [text, setText] = useState(textOf(toBytes(first)) ?? "");
  const [isBusy, setBusy] = useState<number>();
  const [error, setError] = useState<string>();
  const prefix = ofText(text);
  const { read: mayRead } = useMay({ prefix_b64: base64(prefix) });
  const json = async (): Promise<void> => {
    setError(undefined);
    setBusy(0);
    try {
      save(`${show(prefix).replace(/[^\w.-]+/g, "-").replace(/^-|-$/g, "") || "keys"}.json`, [await asJson(prefix, setBusy)], "application/json");
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
      <p className={styles.text}>Keys and values as they are now, of one revision: a line of JSON for each, or one document. What is not text is in base64.</p>
      <div className={styles.line}>
        <div className={styles.grow}><TextField label="Prefix" mono placeholder="app/ (empty: all keys)" value={text} onChange={(event) => setText(event.target.value)} /></div>
        {mayRead && <a className={styles.link} href={exportAddress(prefix)} download>NDJSON</a>}
        <Button disabled={isBusy !== undefined || !mayRead} onClick={() => void json()}>{isBusy === undefined ? "JSON" : `${count(isBusy)} keys`}</Button>
      </div>
      {!mayRead && <div className={styles.under}><Note>Your roles do not let you read {prefix === "" ? "all keys: type a prefix that they do" : <>all keys that begin with <code>{text}</code></>}.</Note></div>}
      {error !== undefined && <p className={styles.error} role="alert">{error}</p>}
    </Card>
  );
}

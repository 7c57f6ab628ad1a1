// The body: JSON as it is sent, and its bytes as text beside it.
import { useId, useState } from "react";

import { Button } from "../../parts/Button";
import { bytesOf, fromBase64, isBase64, prefixEnd, toBase64 } from "../../model/bytes";
import styles from "./Explorer.module.css";
import { type Json, pretty, put, read } from "../../model/lossless";
import type { Operation, Spec } from "../../model/spec";

interface Props {
  spec: Spec;
  operation: Operation;
  body: string;
  onChange: (body: string) => void;
}

export function BodyField({ spec, operation, body, onChange }: Props) {
  const id = useId();
  const [wrong, setWrong] = useState("");
  const schema = operation.requestBody?.content["application/json"]?.schema;
  const json = parsed(body);
  const fields = json ? bytesOf(spec, json, schema) : [];
  const set = (path: (string | number)[], base64: string): void => {
    if (json) onChange(pretty(put(json, path, { kind: "text", text: JSON.stringify(base64) })));
  };
  const format = (): void => {
    try {
      onChange(pretty(read(body)));
      setWrong("");
    } catch (error) {
      setWrong(error instanceof Error ? error.message : String(error));
    }
  };
  const key = fields.find(({ path }) => path.length === 1 && path[0] === "key");
  return (
    <div className={styles.body}>
      <label htmlFor={id}>Body{operation.requestBody?.description !== undefined && <span className={styles.hint}> · {operation.requestBody.description}</span>}</label>
      <textarea id={id} className={`${styles.input} ${styles.mono}`} spellCheck={false} rows={Math.min(24, body.split("\n").length + 1)} value={body} onChange={(event) => onChange(event.target.value)} />
      {schema && (
        <div className={styles.row}>
          <Button onClick={format}>Format</Button>
          <span className={styles.hint} role="status">{wrong}</span>
        </div>
      )}
      {fields.length > 0 && (
        <fieldset className={styles.bytes}>
          <legend>Bytes of it, as text</legend>
          {fields.map(({ path, base64, description }) => {
            const name = path.join(".");
            const text = fromBase64(base64);
            return (
              <div key={name} className={styles.bytesField} title={description}>
                <label htmlFor={`${id}-${name}`}><code>{name}</code></label>
                <input
                  id={`${id}-${name}`}
                  className={`${styles.input} ${styles.mono}`}
                  value={text ?? ""}
                  placeholder={text !== undefined ? "" : isBase64(base64) ? "no text: see the base64" : "the body has no base64 there: type it here"}
                  autoComplete="off"
                  spellCheck={false}
                  onChange={(event) => set(path, toBase64(event.target.value))}
                />
                <code className={styles.base64}>{base64 === "" ? "empty" : base64}</code>
                {name === "range_end" && key && (
                  <Button onClick={() => set(path, prefixEnd(key.base64))} title="Everything that begins with the key">Key as prefix</Button>
                )}
              </div>
            );
          })}
        </fieldset>
      )}
    </div>
  );
}

function parsed(body: string): Json | undefined {
  try {
    const json = read(body.trim() === "" ? "{}" : body);
    return json.kind === "object" ? json : undefined;
  } catch {
    return undefined;
  }
}

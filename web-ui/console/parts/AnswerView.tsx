// What came: as it was written, in lines, with the text of its bytes behind them.
import type { ReactNode } from "react";

import { fromBase64 } from "../model/bytes";
import type { Exchange } from "../model/exchange";
import { type Json, read } from "../model/lossless";
import type { Operation, Schema, Spec } from "../model/spec";
import { bytes, plural } from "../model/text";
import styles from "./AnswerView.module.css";

interface Props {
  /** What is known of the answer, so that bytes are shown as text. */
  spec: Spec | undefined;
  operation: Operation | undefined;
  now: Exchange | undefined;
}

export function AnswerView({ spec, operation, now }: Props) {
  if (!now) return <section aria-label="Answer" />;
  const isGood = now.status !== undefined && now.status < 400 && now.state !== "failed";
  const form = now.type === undefined || !operation ? undefined : spec?.forms(operation)[now.type];
  const schema = isGood ? form?.schema : undefined;
  const end = { sent: "sent …", going: "", done: "", stopped: "stopped", failed: "no answer" }[now.state];
  const parts = [
    now.status === undefined ? "" : `${now.status} ${now.said}`.trim(),
    now.state === "failed" ? now.said : "",
    now.count > 0 ? `${plural(now.count, "part")} received` : "",
    now.status === undefined ? "" : bytes(now.bytes),
    `${Math.round(now.ms)} ms`,
    end,
  ];
  return (
    <section aria-label="Answer">
      <p role="status" className={styles.status} data-good={isGood}>{parts.filter(Boolean).join(" · ")}</p>
      {now.headers !== undefined && <details className={styles.fold}><summary>Headers</summary><pre>{now.headers}</pre></details>}
      {now.isCut && <p className={styles.hint}>{now.count > 0 ? "Only the newest parts are shown." : "Only the first MiB is read; curl gets all of it."}</p>}
      {now.status !== undefined && (
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls, by the keyboard as well
        <pre tabIndex={0} aria-label="Body of the answer" className={styles.answer}>
          {now.parts.length === 0 && now.state === "done" && "(empty)"}
          {now.parts.map((part, at) => <div key={now.count - now.parts.length + at}><Part spec={spec} text={part} schema={schema} /></div>)}
        </pre>
      )}
    </section>
  );
}

function Part({ spec, text, schema }: { spec: Spec | undefined; text: string; schema: Schema | undefined }) {
  try {
    return shown(spec, read(text), schema, "");
  } catch {
    return text;
  }
}

function shown(spec: Spec | undefined, json: Json, schema: Schema | undefined, indent: string): ReactNode {
  const target = merged(spec, schema);
  const inner = `${indent}  `;
  if (json.kind === "text") {
    const isBytes = target.contentEncoding === "base64" && json.text.startsWith('"');
    const text = isBytes ? fromBase64(JSON.parse(json.text) as string) : undefined;
    return text === undefined || text === "" ? json.text : <>{json.text}<span className={styles.decoded}>{text}</span></>;
  }
  const isList = json.kind === "list";
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  const items: [string, Json, Schema | undefined][] = isList
    ? json.items.map((item) => ["", item, target.items])
    : json.fields.map(([name, field]) => [`${JSON.stringify(name)}: `, field, target.properties?.[name]]);
  if (items.length === 0) return open + close;
  return (
    <>
      {open}
      {items.map(([name, item, of], at) => <span key={at}>{at > 0 ? ",\n" : "\n"}{inner}{name}{shown(spec, item, of, inner)}</span>)}
      {`\n${indent}${close}`}
    </>
  );
}

function merged(spec: Spec | undefined, schema: Schema | undefined): Schema {
  if (!spec) return {};
  const target = spec.schema(schema);
  if (!target.allOf) return target;
  const properties = target.allOf.map((each) => spec.schema(each).properties ?? {});
  return { ...target, properties: Object.assign({}, ...properties) as Record<string, Schema> };
}

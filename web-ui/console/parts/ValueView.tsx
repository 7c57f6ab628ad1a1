// A value, shown as what it is.
import { useMemo, useState } from "react";

import { type Kind, MOST_BYTES_LAID_OUT, hexLines, kindOf, laidOut } from "../model/kind";
import { textOf } from "../model/keys";
import { read } from "../model/kubernetes";
import { unpacked } from "../model/msgpack";
import { fields, numbered } from "../model/protobuf";
import { Choice } from "./Fields";
import styles from "./ValueView.module.css";

type View = "laid out" | "as it is" | "hex" | "MessagePack" | "protobuf";

const NAMES: Record<Kind, string> = {
  empty: "empty",
  json: "JSON",
  yaml: "YAML",
  text: "text",
  kubernetes: "Kubernetes object",
  binary: "binary",
};

interface Props {
  bytes: Uint8Array;
  label: string;
}

export function ValueView({ bytes, label }: Props) {
  const kind = kindOf(bytes);
  const [wish, setWish] = useState<View>();
  const views = useMemo(() => viewsOf(bytes, kind), [bytes, kind]);
  const view = wish && views.includes(wish) ? wish : (views[0] ?? "as it is");
  const text = textAs(bytes, kind, view);
  if (kind === "empty") return <p className={styles.empty}>The value is empty: no bytes.</p>;
  return (
    <div className={styles.view}>
      <div className={styles.bar}>
        <span className={styles.kind}>{NAMES[kind]}{kind === "kubernetes" && ", read-only"}</span>
        {views.length > 1 && (
          <Choice label="Shown as" value={view} options={views.map((each) => [each, each] as const)} onChoose={setWish} />
        )}
      </div>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- what scrolls has to be reached */}
      <pre className={`${styles.text} ${view === "hex" ? styles.hex : ""}`} tabIndex={0} aria-label={label}>{text}</pre>
    </div>
  );
}

function viewsOf(bytes: Uint8Array, kind: Kind): View[] {
  if (kind === "binary") {
    const [packed, message] = bytes.length > MOST_BYTES_LAID_OUT ? [] : [unpacked(bytes), fields(bytes)];
    return ["hex", ...(packed === undefined ? [] : ["MessagePack" as const]), ...(message === undefined ? [] : ["protobuf" as const])];
  }
  return kind === "json" || kind === "kubernetes" ? ["laid out", ...(kind === "json" ? ["as it is" as const] : []), "hex"] : ["as it is", "hex"];
}

function textAs(bytes: Uint8Array, kind: Kind, view: View): string {
  if (view === "hex") return hexLines(bytes).join("\n");
  if (view === "MessagePack") return unpacked(bytes) ?? "";
  if (view === "protobuf") return JSON.stringify(numbered(fields(bytes) ?? []), null, 2);
  if (kind === "kubernetes") {
    const shown = read(bytes);
    if (!shown) return hexLines(bytes).join("\n");
    const { apiVersion, kind: type, object } = shown;
    return JSON.stringify({ apiVersion, kind: type, ...(typeof object === "object" && !Array.isArray(object) ? object : { object }) }, null, 2);
  }
  const text = textOf(bytes) ?? "";
  return view === "laid out" ? laidOut(text) : text;
}

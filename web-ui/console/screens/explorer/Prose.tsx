// The Markdown that the document makes use of: paragraphs, lists, tables, `code` and **bold**. Never markup of somebody else's.
import type { ReactNode } from "react";

import styles from "./Explorer.module.css";

export function Inline({ text }: { text: string }): ReactNode {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part, at) => {
    if (part.startsWith("`")) return <code key={at}>{part.slice(1, -1)}</code>;
    if (part.startsWith("**")) return <strong key={at}>{part.slice(2, -2)}</strong>;
    return part;
  });
}

export function Prose({ text }: { text: string | undefined }) {
  const blocks = (text ?? "").split(/\n{2,}/).filter(Boolean);
  return <div className={styles.prose}>{blocks.map((block, at) => <Block key={at} lines={block.split("\n")} />)}</div>;
}

function Block({ lines }: { lines: string[] }) {
  if (lines.every((line) => line.startsWith("- "))) {
    return <ul>{lines.map((line) => <li key={line}><Inline text={line.slice(2)} /></li>)}</ul>;
  }
  const [head, , ...rows] = lines;
  if (head !== undefined && rows.length > 0 && lines.every((line) => line.startsWith("|"))) {
    const cells = (line: string): string[] => line.split("|").slice(1, -1).map((cell) => cell.trim());
    return (
      <table>
        <thead><tr>{cells(head).map((cell) => <th key={cell} scope="col"><Inline text={cell} /></th>)}</tr></thead>
        <tbody>
          {rows.map((row) => <tr key={row}>{cells(row).map((cell, at) => <td key={at}><Inline text={cell} /></td>)}</tr>)}
        </tbody>
      </table>
    );
  }
  return <p><Inline text={lines.join(" ")} /></p>;
}

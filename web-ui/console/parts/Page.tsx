// How a screen is laid out that is read from top to bottom: a head, cards, tables, small marks.
import type { ReactNode } from "react";

import styles from "./Page.module.css";

export function Page({ title, about, tools, children }: { title: string; about?: ReactNode; tools?: ReactNode; children: ReactNode }) {
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <div className={styles.words}>
          <h1>{title}</h1>
          {about !== undefined && <p>{about}</p>}
        </div>
        {tools !== undefined && <div className={styles.tools}>{tools}</div>}
      </header>
      {children}
    </div>
  );
}

interface CardProps {
  title: ReactNode;
  tools?: ReactNode;
  /** What is in it has its own edges: a table, a list. */
  flush?: boolean;
  children: ReactNode;
}

export function Card({ title, tools, flush = false, children }: CardProps) {
  return (
    <section className={styles.card}>
      <header className={styles.cardHead}>
        <h2>{title}</h2>
        {tools !== undefined && <div className={styles.tools}>{tools}</div>}
      </header>
      {flush ? children : <div className={styles.body}>{children}</div>}
    </section>
  );
}

/** A table; where it is narrow, a row is a block, and each cell says by `data-label` what it is. */
export function Table({ label, columns, children }: { label: string; columns: readonly string[]; children: ReactNode }) {
  return (
    <div className={styles.scroll}>
      <table className={`${styles.table} ${styles.stack}`} aria-label={label}>
        <thead>
          <tr>{columns.map((column) => <th key={column} scope="col">{column.startsWith("_") ? <span className="unseen">{column.slice(1)}</span> : column}</th>)}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

export function Tag({ look, children }: { look?: "good" | "warn" | "bad" | undefined; children: ReactNode }) {
  return <span className={`${styles.tag} ${look ? styles[look] : ""}`}>{children}</span>;
}

export function Note({ danger = false, children }: { danger?: boolean; children: ReactNode }) {
  return <p className={`${styles.note} ${danger ? styles.danger : ""}`} role="note">{children}</p>;
}

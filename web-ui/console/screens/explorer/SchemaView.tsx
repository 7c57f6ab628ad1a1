// A schema as a list of fields. What is inside of one opens when it is asked for, so that what holds itself costs nothing.
import { useState } from "react";

import styles from "./Explorer.module.css";
import { Inline, Prose } from "./Prose";
import { type Schema, type Spec, last } from "../../model/spec";

export function kindOf(spec: Spec, schema: Schema | undefined): string {
  const target = spec.schema(schema);
  if (target.type === "array") return `${kindOf(spec, target.items)}[]`;
  if (schema?.$ref !== undefined) return last(schema.$ref);
  if (target.contentEncoding === "base64") return "bytes (base64)";
  const type = Array.isArray(target.type) ? target.type.join(" or ") : (target.type ?? "any");
  return target.format === undefined ? type : `${type} (${target.format})`;
}

export function SchemaView({ spec, schema }: { spec: Spec; schema: Schema | undefined }) {
  const target = spec.schema(schema);
  const several = target.allOf ?? target.anyOf ?? target.oneOf;
  if (several) return several.map((each, at) => <SchemaView key={at} spec={spec} schema={each} />);
  const fields = Object.entries(target.properties ?? {});
  return (
    <div className={styles.schema}>
      <Prose text={target.description} />
      {fields.length === 0 && target.type === "object" && <p className={styles.hint}>No fields of its own.</p>}
      <dl>
        {fields.map(([name, field]) => (
          <div key={name}>
            <dt><code>{name}</code> <span className={styles.hint}>{kindOf(spec, field)}</span></dt>
            <dd><Inline text={field.description ?? ""} /><Inside spec={spec} field={field} /></dd>
          </div>
        ))}
      </dl>
    </div>
  );
}

function Inside({ spec, field }: { spec: Spec; field: Schema }) {
  const inner = field.type === "array" ? field.items : field;
  const target = spec.schema(inner);
  if (target.enum) return <p className={styles.hint}>{target.enum.join(", ")}</p>;
  if (!target.properties && !target.anyOf && !target.oneOf && !target.allOf) return null;
  return <Folded title={inner?.$ref === undefined ? "Fields" : last(inner.$ref)}><SchemaView spec={spec} schema={inner} /></Folded>;
}

/** What is made when it is opened for the first time. */
export function Folded({ title, children, open = false }: { title: string; children: React.ReactNode; open?: boolean }) {
  const [isOpen, setOpen] = useState(open);
  return (
    <details className={styles.fold2} open={isOpen} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>{title}</summary>
      {isOpen && children}
    </details>
  );
}

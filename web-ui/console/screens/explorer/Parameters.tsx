// What stands in the path, the query and the headers: what one needs first, the rest folded.
import styles from "./Explorer.module.css";
import { Inline } from "./Prose";
import type { Values } from "./request";
import type { Operation, Parameter, Spec } from "../../model/spec";

interface Props {
  spec: Spec;
  operation: Operation;
  values: Values;
  onChange: (values: Values) => void;
}

/** Those that are hardly ever needed: other spellings, and how streams are kept. */
const RARE = /_b64$|^(range_end|start_revision|last_event_id|Last-Event-ID|encoding|heartbeat|access_token|consistency|filters|in|after|before|download|If-.*|Range|Idempotency-Key)$/;
/** With fewer all are shown. */
const FEW = 4;

export function Parameters({ spec, operation, values, onChange }: Props) {
  const all = operation.parameters ?? [];
  const isRare = ({ name, required }: Parameter): boolean => all.length > FEW && required !== true && RARE.test(name);
  const fields = (parameters: Parameter[]) => parameters.map((parameter) => (
    <Field
      key={parameter.in + parameter.name}
      spec={spec}
      parameter={parameter}
      given={values[parameter.name]}
      onChange={(given) => onChange({ ...values, [parameter.name]: given })}
    />
  ));
  const rare = all.filter(isRare);
  return (
    <div className={styles.parameters}>
      {fields(all.filter((parameter) => !isRare(parameter)))}
      {rare.length > 0 && <details className={styles.fold2}><summary>{rare.length} more, rarely needed</summary>{fields(rare)}</details>}
    </div>
  );
}

interface FieldProps {
  spec: Spec;
  parameter: Parameter;
  given: string[] | undefined;
  onChange: (given: string[] | undefined) => void;
}

function Field({ spec, parameter, given, onChange }: FieldProps) {
  const id = `parameter-${parameter.in}-${parameter.name}`;
  return (
    <div className={styles.parameter}>
      <label htmlFor={id}><code>{parameter.name}</code></label>
      <div className={styles.given}><Input id={id} spec={spec} parameter={parameter} given={given} onChange={onChange} /></div>
      <p id={`${id}-about`} className={styles.hint}><Inline text={parameter.description ?? ""} /></p>
    </div>
  );
}

function Input({ id, spec, parameter, given, onChange }: FieldProps & { id: string }) {
  const schema = spec.schema(parameter.schema);
  const options = spec.schema(schema.items ?? schema).enum;
  const about = `${id}-about`;
  const [first = ""] = given ?? [];
  if (schema.type === "boolean") {
    return <input id={id} aria-describedby={about} type="checkbox" checked={given !== undefined} onChange={(event) => onChange(event.target.checked ? ["true"] : undefined)} />;
  }
  if (options && schema.type === "array") {
    const toggle = (option: string): void => {
      const rest = options.filter((each) => (each === option ? !given?.includes(each) : given?.includes(each)));
      onChange(rest.length > 0 ? rest : undefined);
    };
    return (
      <span id={id} role="group" aria-label={parameter.name}>
        {options.map((option) => (
          <label key={option} className={styles.check}>
            <input type="checkbox" checked={given?.includes(option) ?? false} onChange={() => toggle(option)} /> {option}
          </label>
        ))}
      </span>
    );
  }
  if (options) {
    return (
      <select id={id} aria-describedby={about} className={styles.input} value={first} onChange={(event) => onChange(event.target.value === "" ? undefined : [event.target.value])}>
        <option value="">–</option>
        {options.map((option) => <option key={option}>{option}</option>)}
      </select>
    );
  }
  const isAll = parameter.name === "prefix" && given?.length === 1 && first === "";
  const text = schema.type === "array" ? (given ?? []).join("\n") : first;
  const said = (value: string): void => onChange(value === "" ? undefined : schema.type === "array" ? value.split("\n") : [value]);
  const common = { id, className: `${styles.input} ${styles.mono}`, spellCheck: false, "aria-describedby": about, value: text };
  return (
    <>
      {schema.type === "array"
        ? <textarea rows={Math.max(1, given?.length ?? 1)} placeholder={isAll ? "all keys" : "one a line"} {...common} onChange={(event) => said(event.target.value)} />
        : <input type="text" autoComplete="off" required={parameter.required === true} placeholder={isAll ? "all keys" : ""} {...common} onChange={(event) => said(event.target.value)} />}
      {parameter.name === "prefix" && (
        <label className={styles.check}><input type="checkbox" checked={isAll} onChange={(event) => onChange(event.target.checked ? [""] : undefined)} /> all keys</label>
      )}
    </>
  );
}

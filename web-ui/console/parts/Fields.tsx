import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, useId } from "react";

import styles from "./Fields.module.css";

interface TextProps extends InputHTMLAttributes<HTMLInputElement> {
  label: string;
  hint?: ReactNode;
  mono?: boolean;
}

export function TextField({ label, hint, mono = false, ...rest }: TextProps) {
  const id = useId();
  return (
    <div className={styles.field}>
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className={`${styles.input} ${mono ? styles.mono : ""}`}
        autoComplete="off"
        spellCheck={false}
        aria-describedby={hint === undefined ? undefined : `${id}-hint`}
        {...rest}
      />
      {hint !== undefined && <div id={`${id}-hint`} className={styles.hint}>{hint}</div>}
    </div>
  );
}

interface ChoiceProps<T extends string> extends Omit<SelectHTMLAttributes<HTMLSelectElement>, "onChange" | "value"> {
  label: string;
  value: T;
  options: readonly (readonly [T, string])[];
  onChoose: (value: T) => void;
}

/** A choice, its label for who cannot see what it is about. */
export function Choice<T extends string>({ label, value, options, onChoose, ...rest }: ChoiceProps<T>) {
  return (
    <select
      className={styles.select}
      aria-label={label}
      value={value}
      onChange={(event) => onChoose(event.target.value as T)}
      {...rest}
    >
      {options.map(([option, text]) => <option key={option} value={option}>{text}</option>)}
    </select>
  );
}

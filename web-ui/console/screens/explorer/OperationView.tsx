// One operation: what it is, a form to try it with, what it takes and answers.
import { useEffect, useRef, useState } from "react";

import { exchange } from "../../api/exchange";
import { useMayChange } from "../../api/settings";
import type { Exchange } from "../../model/exchange";
import { Button } from "../../parts/Button";
import { copy } from "../../parts/CopyAs";
import { AnswerView } from "../../parts/AnswerView";
import { BodyField } from "./BodyField";
import { Converter } from "./Converter";
import styles from "./Explorer.module.css";
import { Parameters } from "./Parameters";
import { Inline, Prose } from "./Prose";
import { accepts, bodyOf, curl, defaults, requestOf } from "./request";
import { Folded, SchemaView, kindOf } from "./SchemaView";
import type { Operation, Spec } from "../../model/spec";
import { Choice } from "../../parts/Fields";
import { useToken } from "./token";

export function OperationView({ spec, operation }: { spec: Spec; operation: Operation }) {
  const [values, setValues] = useState(() => defaults(operation));
  const [body, setBody] = useState(() => bodyOf(operation));
  const forms = accepts(spec, operation);
  const [accept, setAccept] = useState(() => (operation.operationId === "watchEvents" ? "text/event-stream" : (forms[0] ?? "")));
  const [token, setToken] = useToken();
  const [now, setNow] = useState<Exchange>();
  const under = useRef<AbortController>(undefined);
  const mayChange = useMayChange();
  const request = requestOf(operation, values, body, token, accept);
  const isGoing = now?.state === "sent" || now?.state === "going";
  const isBarred = !mayChange && operation.method !== "GET";

  // Whoever leaves wants no more of it.
  useEffect(() => () => under.current?.abort(), []);

  const send = (): void => {
    if (isBarred) return;
    under.current?.abort();
    const controller = new AbortController();
    under.current = controller;
    void exchange(request, controller.signal, (told) => { if (under.current === controller) setNow(told); });
  };

  return (
    <article className={styles.operation}>
      <h1 className={styles.title}>{operation.summary ?? operation.operationId}</h1>
      <p className={styles.path}><span className={styles.method} data-method={operation.method}>{operation.method}</span> <code>{operation.path}</code></p>
      {operation.deprecated === true && <p className={styles.hint}>Kept for older clients.</p>}
      <Prose text={operation.description} />
      <h2 className={styles.section}>Try it</h2>
      {/* Enter in a field does not do what a request does, which may be to delete. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- keys of the fields in it come here */}
      <form
        aria-label="Request"
        className={styles.form}
        onSubmit={(event) => event.preventDefault()}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) return;
          event.preventDefault();
          if (event.currentTarget.reportValidity()) send();
        }}
      >
        <Parameters spec={spec} operation={operation} values={values} onChange={setValues} />
        {body !== undefined && <BodyField spec={spec} operation={operation} body={body} onChange={setBody} />}
        <details className={styles.fold2}>
          <summary>Token and form of the answer</summary>
          <div className={styles.pair}>
            <label className={styles.labelled}>Bearer token, if not who is logged in
              <input type="password" autoComplete="off" className={styles.input} value={token} onChange={(event) => setToken(event.target.value)} />
            </label>
            {forms.length > 1 && (
              <div className={styles.labelled}><span>Answer as</span>
                <Choice label="Answer as" value={accept} options={forms.map((form) => [form, form] as const)} onChoose={setAccept} />
              </div>
            )}
          </div>
        </details>
        <div className={styles.row}>
          <Button look="main" disabled={isBarred} onClick={(event) => { if (event.currentTarget.form?.reportValidity()) send(); }}>Send</Button>
          <Button disabled={!isGoing} onClick={() => under.current?.abort()}>Stop</Button>
          <span className={styles.hint}>{isBarred ? "This console is read-only." : "Ctrl+Enter sends; Enter alone does nothing"}</span>
        </div>
      </form>
      <AnswerView spec={spec} operation={operation} now={now} />
      <div className={styles.curl}>
        <pre aria-label="curl command">{curl(request)}</pre>
        <Button icon="copy" onClick={() => void copy(curl(request), "the curl command")}>Copy</Button>
      </div>
      {body !== undefined && <Converter />}
      <Schemas spec={spec} operation={operation} />
    </article>
  );
}

function Schemas({ spec, operation }: { spec: Spec; operation: Operation }) {
  const asked = operation.requestBody?.content["application/json"]?.schema;
  const own = Object.entries(operation.responses).filter(([, answer]) => answer.$ref === undefined);
  const shared = Object.entries(operation.responses).filter(([, answer]) => answer.$ref !== undefined);
  return (
    <>
      <h2 className={styles.section}>What it takes and answers</h2>
      {asked && <Folded title={`Request: ${kindOf(spec, asked)}`} open><SchemaView spec={spec} schema={asked} /></Folded>}
      {Object.entries(spec.forms(operation)).map(([type, { schema }]) => (
        <Folded key={type} title={`Answer: ${kindOf(spec, schema)} as ${type}`}><SchemaView spec={spec} schema={schema} /></Folded>
      ))}
      <dl className={styles.statuses}>
        {own.map(([status, answer]) => <div key={status}><dt><code>{status}</code></dt><dd><Inline text={answer.description ?? ""} /></dd></div>)}
      </dl>
      {shared.length > 0 && (
        <Folded title="What calls may be answered with in general">
          <dl className={styles.statuses}>
            {shared.map(([status, answer]) => (
              <div key={status}><dt><code>{status}</code></dt><dd><Inline text={spec.answer(answer).description ?? ""} /></dd></div>
            ))}
          </dl>
        </Folded>
      )}
    </>
  );
}

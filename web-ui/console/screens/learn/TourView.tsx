import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";

import { begin, removeBelow } from "../../api/keys";
import { load } from "../../api/spec";
import { useMayChange } from "../../api/settings";
import { ofText } from "../../model/keys";
import { type Step, type Tour, prefixOf } from "../../model/tours/step";
import { TOURS } from "../../model/tours/tours";
import { Note, Page } from "../../parts/Page";
import { link } from "../../parts/route";
import { toast } from "../../parts/Toasts";
import styles from "./Learn.module.css";
import { StepView } from "./StepView";

export function TourView({ tour }: { tour: Tour }) {
  const prefix = prefixOf(tour);
  const { data: spec } = useQuery({ queryKey: ["openapi"], queryFn: load, staleTime: Infinity });
  // As it was when the tour began.
  const { data: found } = useQuery({ queryKey: ["learn", prefix], queryFn: ({ signal }) => begin(ofText(prefix), 1, signal), staleTime: Infinity, gcTime: 0 });
  const [known, setKnown] = useState<Readonly<Record<string, string>>>({});
  const mayChange = useMayChange();
  const leaves = useLeftOvers(prefix);
  const done = (step: Step, told: Record<string, string>): void => {
    if (Object.keys(told).length > 0) setKnown((before) => ({ ...before, ...told }));
    leaves(step !== tour.steps.at(-1));
  };
  const next = TOURS[TOURS.indexOf(tour) + 1];
  return (
    <Page title={tour.title} about={tour.about} tools={<a href={link("learn")}>All tours</a>}>
      {!mayChange && <Note>Steps that write are shown here, and not run: this console is read-only.</Note>}
      {mayChange && found !== undefined && found.length > 0 && (
        <Note>There are keys below <a className="mono" href={link("keys", prefix)}>{prefix}</a> already, from an earlier tour or somebody’s own. The last step deletes all of them.</Note>
      )}
      <ol className={styles.steps} aria-label="Steps">
        {tour.steps.map((step, at) => <StepView key={step.title} number={at + 1} step={step} known={known} spec={spec} onDone={(told) => done(step, told)} />)}
      </ol>
      {next && <p className={styles.next}>Next: <a href={link("learn", next.id)}>{next.title}</a></p>}
    </Page>
  );
}

/** Whoever goes before the last step is told that something is left, and can take it away. */
function useLeftOvers(prefix: string): (isLeft: boolean) => void {
  const isLeft = useRef(false);
  useEffect(() => () => {
    if (!isLeft.current) return;
    const remove = (): void => {
      removeBelow(ofText(prefix)).then(
        () => toast({ text: `${prefix} is cleaned up` }),
        (error: unknown) => toast({ text: error instanceof Error ? error.message : String(error), look: "failed" }),
      );
    };
    toast({ text: `The tour may have left keys below ${prefix}`, action: { label: "Delete them", run: remove } });
  }, [prefix]);
  return (to) => { isLeft.current = to; };
}

// What is wrong with a text in its syntax, which does not keep it from being saved.
import { useEffect, useMemo, useState } from "react";

import { MOST_BYTES_LAID_OUT } from "../../../model/kind";
import { complaint } from "../content";
import type { Mode } from "./modes";

/** Those that want a library, which is loaded with the first text. */
const CHECKS: { [M in Mode]?: { name: string; load: () => Promise<{ complaintOf: (text: string) => string | undefined }> } } = {
  toml: { name: "TOML", load: () => import("../../../model/toml") },
  xml: { name: "XML", load: () => import("../../../model/xml") },
};

export function useComplaint(text: string, mode: Mode): string | undefined {
  const isChecked = text.trim() !== "" && text.length <= MOST_BYTES_LAID_OUT;
  const own = useMemo(() => (isChecked ? complaint(text, mode) : undefined), [isChecked, text, mode]);
  const [told, setTold] = useState<{ of: string; mode: Mode; said: string }>();
  useEffect(() => {
    const check = isChecked ? CHECKS[mode] : undefined;
    if (!check) return undefined;
    let isGone = false;
    const run = async (): Promise<void> => {
      const { complaintOf } = await check.load();
      const said = isGone ? undefined : complaintOf(text);
      if (said !== undefined) setTold({ of: text, mode, said: `Not ${check.name}: ${said}` });
    };
    // Without its library nothing is said of it.
    run().catch(() => undefined);
    return () => { isGone = true; };
  }, [text, mode, isChecked]);
  return own ?? (told?.of === text && told.mode === mode ? told.said : undefined);
}

import { useEffect, useState } from "react";

import { duration } from "../model/text";

/** Time that runs out: counted here, set right by whoever knows it. */
export function Countdown({ seconds, since }: { seconds: number; since: number }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const left = Math.ceil(seconds - (Math.max(now, since) - since) / 1_000);
  return <span className="figures">{left > 0 ? duration(left) : "ending"}</span>;
}

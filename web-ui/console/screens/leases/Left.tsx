import { useEffect, useState } from "react";

import type { Lease } from "../../api/leases";
import { Countdown } from "../../parts/Countdown";
import styles from "./Leases.module.css";

/** What is left of a lease, counted here between one look at the server and the next. */
export function Left({ lease, since }: { lease: Lease; since: number }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  const left = Math.max(0, lease.ttl - Math.max(0, now - since) / 1_000);
  const part = lease.granted > 0 ? Math.min(100, (100 * left) / lease.granted) : 0;
  return (
    <span className={styles.left}>
      <span className={styles.meter} aria-hidden="true"><span style={{ width: `${part}%` }} /></span>
      {lease.ttl < 0 ? "it is gone" : <Countdown seconds={lease.ttl} since={since} />}
    </span>
  );
}

// Which server the page is of, and the way to others.
import { useState } from "react";

import { base } from "../../api/base";
import { useStore } from "../../api/store";
import { Button } from "../../parts/Button";
import { Icon } from "../../parts/Icon";
import { type Item, Menu } from "../../parts/Menu";
import styles from "./Switch.module.css";
import { HERE, consoles } from "./kept";
import { type Other, useOthers } from "./useOthers";

const HOST = base.host + base.pathname.replace(/\/$/, "");

export function Switch({ onManage }: { onManage: () => void }) {
  const [isOpen, setOpen] = useState(false);
  const own = useStore(consoles).find(({ url }) => url === HERE)?.name ?? HOST;
  const { members, failure, kept } = useOthers(isOpen);
  const items = [
    ...(members.length > 0 ? [{ head: "Members of this cluster" }, ...members.map(itemOf("member"))] : [{ head: failure ?? "Asking for the members" }]),
    ...(kept.length > 0 ? [{ head: "Kept in this browser" }, ...kept.map(itemOf("kept"))] : []),
    { label: "Other consoles…", icon: "edit" as const, isApart: true, run: onManage },
  ];
  return (
    <Menu
      trigger={
        <Button look="quiet" icon="server" className={styles.switch ?? ""} aria-label={`${own}: other consoles`} title={HERE}>
          <span className={styles.own}>{own}</span>
          <Icon name="down" size={12} />
        </Button>
      }
      items={items}
      onOpen={setOpen}
    />
  );
}

function itemOf(what: string): (other: Other, at: number) => Item {
  return ({ name, note, url, href, why }, at) => ({ id: `${what} ${at}`, label: note === undefined || note === "this page’s" ? name : `${name} · ${note}`, detail: why ?? url ?? "", disabled: href === undefined, checked: note === "this page’s", ...(href !== undefined && { href }) });
}

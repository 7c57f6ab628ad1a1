// Nothing is watched yet: what it is for, and the same from a shell.
import { endpoint } from "../../api/base";
import { streamAddress } from "../../api/changes";
import { curl, etcdctl } from "../../model/copy";
import { Teach } from "../../parts/Teach";
import { Button } from "../../parts/Button";
import { go } from "../../parts/route";
import { addressOf } from "./place";

export function First() {
  const all = { prefixes: [""], keys: [], puts: true, deletes: true };
  return (
    <Teach
      title="Watch keys change"
      about="Type what keys begin with, and every change of them is shown as it happens, with what was there before. Add as many prefixes as you like: one stream has them all. Its address can be kept, and shared."
      commands={[
        ["The same with curl", curl({ url: streamAddress({ ...all, prefixes: ["app/"] }) }).replace("curl -s", "curl -sN")],
        ["With etcdctl", etcdctl(endpoint, "watch --prefix app/")],
      ]}
    >
      <Button look="main" icon="watch" onClick={() => go(addressOf(all))}>Watch all keys</Button>
    </Teach>
  );
}

// An empty store: what to do first.
import { base, endpoint } from "../../api/base";
import { curl, etcdctl } from "../../model/copy";
import { Button } from "../../parts/Button";
import { link } from "../../parts/route";
import { Teach } from "../../parts/Teach";

export function First({ onNew }: { onNew: (() => void) | undefined }) {
  const key = new URL("v3/keys/greeting", base).href;
  const commands = [
    ["Write a key", curl({ url: key, method: "PUT", body: "hello" })],
    ["Read it", curl({ url: key })],
    ["The same with etcdctl", etcdctl(endpoint, "put greeting hello")],
  ] as const;
  return (
    <Teach
      title="Nothing is stored yet"
      about="A key is a name with slashes, like a path; its value is any bytes. This list shows it as soon as it is there."
      commands={commands}
    >
      {onNew && <Button look="main" icon="plus" onClick={onNew}>New key</Button>}
      <p><a href={link("learn")}>Take a tour</a> of five minutes, or begin from a shell:</p>
    </Teach>
  );
}

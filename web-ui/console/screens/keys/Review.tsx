import { type Key, show } from "../../model/keys";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Actions, Dialog } from "../../parts/Dialog";
import { ValueDiff } from "../../parts/ValueDiff";
import { writeCommands } from "./commands";

interface Props {
  name: Key;
  before: Uint8Array;
  bytes: Uint8Array;
  cas: string;
  lease: string | undefined;
  isSaving: boolean;
  onSave: () => void;
  onClose: () => void;
}

/** What a save will change. */
export function Review({ name, before, bytes, cas, lease, isSaving, onSave, onClose }: Props) {
  return (
    <Dialog wide title={`Save ${show(name)}?`} about={`Only if it is still as it was at revision ${cas}.`} onClose={onClose}>
      <ValueDiff before={before} after={bytes} label="What is different" />
      <Actions>
        <CopyAs commands={writeCommands(name, bytes, cas, { lease })} />
        <Button onClick={onClose}>Back</Button>
        <Button look="main" disabled={isSaving} onClick={onSave}>Save</Button>
      </Actions>
    </Dialog>
  );
}

import { type Key, show } from "../../model/keys";
import { Button } from "../../parts/Button";
import { CopyAs } from "../../parts/CopyAs";
import { Actions, Dialog } from "../../parts/Dialog";
import { Diff } from "../../parts/Diff";
import { writeCommands } from "./commands";

interface Props {
  name: Key;
  before: string;
  after: string;
  bytes: Uint8Array;
  cas: string;
  isSaving: boolean;
  onSave: () => void;
  onClose: () => void;
}

/** What a save will change. */
export function Review({ name, before, after, bytes, cas, isSaving, onSave, onClose }: Props) {
  return (
    <Dialog wide title={`Save ${show(name)}?`} about={`Only if it is still as it was at revision ${cas}.`} onClose={onClose}>
      <Diff before={before} after={after} label="What is different" />
      <Actions>
        <CopyAs commands={writeCommands(name, bytes, cas)} />
        <Button onClick={onClose}>Back</Button>
        <Button look="main" disabled={isSaving} onClick={onSave}>Save</Button>
      </Actions>
    </Dialog>
  );
}

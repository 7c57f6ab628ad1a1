import { Button } from "../../parts/Button";
import { Actions, Dialog } from "../../parts/Dialog";
import { Diff } from "../../parts/Diff";
import styles from "./Edit.module.css";

interface Props {
  base: string;
  mine: string;
  /** Nothing if it has been removed. */
  theirs: string | undefined;
  onMine: () => void;
  onTheirs: () => void;
  onEdit: () => void;
}

/** Two have changed the same: what each of them did, from where both began. */
export function Conflict({ base, mine, theirs, onMine, onTheirs, onEdit }: Props) {
  const gone = theirs === undefined;
  return (
    <Dialog
      wide
      title="Somebody else was quicker"
      about={gone ? "The key was removed while you edited it. Nothing of yours is lost." : "The key was changed while you edited it. Nothing is saved yet, and nothing of yours is lost."}
      onClose={onEdit}
    >
      <div className={styles.three}>
        <section><h3>What they changed</h3><Diff before={base} after={theirs ?? ""} label="What they changed" /></section>
        <section><h3>What you changed</h3><Diff before={base} after={mine} label="What you changed" /></section>
      </div>
      <Actions>
        {!gone && <Button onClick={onTheirs}>Take theirs</Button>}
        <Button onClick={onEdit}>Edit mine further</Button>
        <Button look="main" onClick={onMine}>{gone ? "Write mine again" : "Save mine over it"}</Button>
      </Actions>
    </Dialog>
  );
}

// Where somebody wants to come back to, and where he was.
import { useStore } from "../../api/store";
import { show } from "../../model/keys";
import { type Visited, isMarked } from "../../model/visited";
import { Button } from "../../parts/Button";
import { Icon } from "../../parts/Icon";
import { Menu } from "../../parts/Menu";
import { go } from "../../parts/route";
import { forget, kept, mark } from "./kept";
import styles from "./Visits.module.css";

/** Of a key, or of a level. */
export function Star({ place }: { place: Visited }) {
  const isKept = isMarked(useStore(kept), place.at);
  return (
    <Button
      look="quiet"
      icon="star"
      className={isKept ? styles.kept ?? "" : ""}
      aria-pressed={isKept}
      aria-label={`Bookmark ${show(place.key)}`}
      title={isKept ? "Take the bookmark away" : "Bookmark it, in this browser"}
      onClick={() => mark(place)}
    />
  );
}

/** Both lists, where there is no room to show them. */
export function VisitsMenu() {
  const { bookmarks, recent } = useStore(kept);
  const fresh = recent.filter(({ at }) => !bookmarks.some((each) => each.at === at));
  const items = [
    ...bookmarks.map(({ key, at }) => ({ label: show(key), icon: "star" as const, run: () => go(at) })),
    ...fresh.map(({ key, at }) => ({ label: show(key), icon: "history" as const, run: () => go(at) })),
  ];
  if (items.length === 0) return null;
  return <Menu trigger={<Button look="quiet" icon="history" aria-label="Bookmarks and recent keys" title="Bookmarks and recent keys" />} items={items} />;
}

/** Both lists, where no key is open. */
export function Visits() {
  const { bookmarks, recent } = useStore(kept);
  return (
    <div className={styles.visits}>
      {bookmarks.length > 0 && (
        <section aria-label="Bookmarks">
          <h2>Bookmarks</h2>
          <ul>
            {bookmarks.map((place) => (
              <li key={place.at}>
                <Icon name={place.key.endsWith("/") ? "folder" : "file"} />
                <a className="mono" href={place.at}>{show(place.key)}</a>
                <Button look="quiet" icon="close" aria-label={`Take the bookmark of ${show(place.key)} away`} onClick={() => mark(place)} />
              </li>
            ))}
          </ul>
        </section>
      )}
      {recent.length > 0 && (
        <section aria-label="Recent keys">
          <h2>Recent keys <Button look="quiet" onClick={forget}>Forget them</Button></h2>
          <ul>{recent.map(({ key, at }) => <li key={at}><Icon name="file" /><a className="mono" href={at}>{show(key)}</a></li>)}</ul>
        </section>
      )}
    </div>
  );
}

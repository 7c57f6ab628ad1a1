// Learn: short tours, of steps that are run in place.
import { TOURS } from "../../model/tours/tours";
import { prefixOf } from "../../model/tours/step";
import { plural } from "../../model/text";
import { Page } from "../../parts/Page";
import { type Route, link } from "../../parts/route";
import styles from "./Learn.module.css";
import { TourView } from "./TourView";

export default function Learn({ route }: { route: Route }) {
  const tour = TOURS.find(({ id }) => id === route.rest);
  if (tour) return <TourView key={tour.id} tour={tour} />;
  return (
    <Page title="Learn" about="Short tours of what the store can do, on this server: each step is a call that is run here, with the same for a shell beside it. What they write is below tour/, and the last step takes it away.">
      <ul className={styles.tours} aria-label="Tours">
        {TOURS.map((each) => (
          <li key={each.id} className={styles.tour}>
            <h2><a href={link("learn", each.id)}>{each.title}</a></h2>
            <p>{each.about}</p>
            <p className={styles.soft}>{plural(each.steps.length, "step")}, below <code>{prefixOf(each)}</code></p>
          </li>
        ))}
      </ul>
    </Page>
  );
}

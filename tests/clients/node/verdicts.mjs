// What a browser makes of pages. Usage `verdicts.mjs URL…`: says in a line for each what is answered, or what is wrong with the
// certificate. Whom the browser trusts is in the home folder that it is given.
import { launch, open } from "./browser.mjs";

const browser = await launch();
try {
  for (const url of process.argv.slice(2)) {
    const look = async () => {
      const page = await open(browser);
      return page.goto(url).then(
        (answer) => String(answer.status()),
        (error) => /net::(\w+)/.exec(error.message)?.[1] ?? error.message.split("\n")[0],
      );
    };
    // Somebody gave this machine another interface meanwhile, or took one away.
    let verdict;
    do verdict = await look(); while (verdict === "ERR_NETWORK_CHANGED");
    console.log(verdict);
  }
} finally {
  await browser.close();
}

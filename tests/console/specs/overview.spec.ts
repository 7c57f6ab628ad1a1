// Overview: how the cluster is, and that it is told when that changes.
import { accessible, expect, test } from "../lib/test.ts";
import { Server } from "../lib/server.ts";

/** Within which the death of a leader has to be told. */
const TOLD_MS = 2_000;

test("a leader that is killed is missed within two seconds, and all is well by itself when it is back", async ({ page }) => {
  const members = await Server.cluster(3);
  try {
    const { leader, members: told } = (await members[0]?.call("GET", "/v3/overview")) as { leader: string; members: { id: string; name: string }[] };
    const name = told.find(({ id }) => id === leader)?.name;
    const [leading, asked] = [members.find(({ place }) => place.name === name), members.find(({ place }) => place.name !== name)];
    if (!leading || !asked) throw new Error(`who leads is not known: ${leader}`);
    await page.goto(asked.page("overview"));
    const status = page.getByRole("status", { name: "How the cluster is" });
    await expect(status).toContainText("All is well");
    await expect(page.getByRole("row", { name: name ?? "" })).toContainText("leader");
    await accessible(page);

    await leading.kill();
    // Either that nobody leads, or that one is missing: both are the truth, one after the other.
    await expect(status).not.toContainText("All is well", { timeout: TOLD_MS });
    await expect(page.getByRole("row", { name: name ?? "" })).toContainText("no answer");
    await expect(status).toContainText(`${name ?? ""} does not answer`);
    await expect(page.getByRole("row").filter({ hasText: "leader" })).toHaveCount(1);
    await accessible(page);

    await leading.restart();
    await expect(status).toContainText("All is well");
    await expect(page.getByRole("row", { name: name ?? "" })).toContainText("follower");
  } finally {
    for (const member of members) await member.end();
  }
});

test("one member alone: what it holds, an alarm, and what it did", async ({ page, server }) => {
  await server.put("a", "x".repeat(10_000));
  await page.goto(server.page("overview"));
  await expect(page.getByRole("status", { name: "How the cluster is" })).toContainText("One member");
  await expect(page.getByRole("row", { name: "m1" })).toContainText("leader");
  await expect(page.getByText("1 key,")).toBeVisible();
  await expect(page.getByRole("figure").first()).toContainText("reads");
  const { member } = (await server.call("GET", "/v3/overview")) as { member: string };
  await server.call("POST", "/v3/maintenance/alarm", { action: "ACTIVATE", alarm: "NOSPACE", memberID: member });
  await expect(page.getByRole("status", { name: "How the cluster is" })).toContainText("Alarm: NOSPACE on m1");
  await accessible(page);
});

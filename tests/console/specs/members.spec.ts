// Members: seen as they are, and changed only where the quorum stays.
import { accessible, expect, shortcut, test } from "../lib/test.ts";
import { Server, freePort } from "../lib/server.ts";

test("of one member: the last one is not removed, and none is added that would stop it", async ({ page, server }) => {
  await page.goto(server.page("members"));
  const row = page.getByRole("row").filter({ hasText: "m1" });
  await expect(row).toContainText("leader");
  await expect(page.getByText("none may fail")).toBeVisible();
  await accessible(page);
  await row.getByRole("button", { name: "Remove m1" }).click();
  const remove = page.getByRole("dialog", { name: "Remove m1?" });
  await expect(remove).toContainText("without it there is no cluster");
  await remove.getByLabel("Type m1 to confirm").fill("m1");
  await expect(remove.getByRole("button", { name: "Remove" })).toBeDisabled();
  await accessible(page);
  await page.keyboard.press("Escape");

  await row.getByRole("button", { name: "Defragment…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Defragment" }).click();
  await expect(page.getByText("m1 is defragmented")).toBeVisible();

  await shortcut(page, "n");
  const add = page.getByRole("dialog", { name: "Add a member" });
  const url = `http://127.0.0.1:${await freePort()}`;
  await add.getByLabel("Name").fill("m2");
  await add.getByLabel("Where other members find it").fill(url);
  await add.getByLabel("As a learner").uncheck();
  await expect(add).toContainText("the cluster would stand still");
  await expect(add.getByRole("button", { name: "Add" })).toBeDisabled();
  await add.getByLabel("As a learner").check();
  await accessible(page);
  await add.getByRole("button", { name: "Add" }).click();
  await expect(page.getByRole("dialog", { name: "Now start m2" })).toContainText("--initial-cluster-state existing");
  await accessible(page);
  await page.getByRole("button", { name: "Done" }).click();
  const learner = page.getByRole("row").filter({ hasText: "not started yet" });
  await expect(learner).toContainText("learner");
  await learner.getByRole("button", { name: "Promote…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Promote" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toBeVisible();
  await page.keyboard.press("Escape");
  await learner.getByRole("button", { name: /^Remove/ }).click();
  const hex = (await page.getByRole("dialog").getByRole("heading").textContent())?.match(/Remove (\w+)\?/)?.[1] ?? "";
  await page.getByLabel(`Type ${hex} to confirm`).fill(hex);
  await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
  await expect(learner).toHaveCount(0);
});

test("of three: the leader is moved, a member that dies is said to be silent, and the quorum is guarded", async ({ page }) => {
  const servers = await Server.cluster(3);
  try {
    const told = (await servers[0]?.call("GET", "/v3/members")) as { members: { name: string; leader: boolean }[] };
    const leader = servers.find(({ place }) => told.members.some(({ name, leader }) => leader && name === place.name));
    const others = servers.filter((server) => server !== leader);
    if (!leader || !others[0] || !others[1]) throw new Error("no leader");
    await page.goto(leader.page("members"));
    await expect(page.getByText("1 member may fail")).toBeVisible();
    const row = (name: string) => page.getByRole("row").filter({ hasText: name });
    const next = others[0].place.name;
    await row(next).getByRole("button", { name: "Make leader…" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Make leader" }).click();
    await expect(row(next).getByText("leader", { exact: true })).toBeVisible();
    await expect(row(leader.place.name).getByText("leader", { exact: true })).toHaveCount(0);

    await others[1].kill();
    const dead = others[1].place.name;
    await expect(row(dead)).toContainText("silent");
    await expect(page.getByText("none may fail")).toBeVisible();
    await accessible(page);
    await row(next).getByRole("button", { name: `Remove ${next}` }).click();
    await page.getByRole("dialog").getByLabel(`Type ${next} to confirm`).fill(next);
    await expect(page.getByRole("dialog")).toContainText("the cluster would stand still");
    await expect(page.getByRole("dialog").getByRole("button", { name: "Remove" })).toBeDisabled();
    await page.keyboard.press("Escape");
    await row(dead).getByRole("button", { name: `Remove ${dead}` }).click();
    await page.getByRole("dialog").getByLabel(`Type ${dead} to confirm`).fill(dead);
    await page.getByRole("dialog").getByRole("button", { name: "Remove" }).click();
    await expect(row(dead)).toHaveCount(0);
  } finally {
    for (const server of servers) await server.end();
  }
});

test("peer URLs are changed as the server takes them, and who may not be found any more is asked for twice", async ({ page }) => {
  const servers = await Server.cluster(3);
  try {
    const told = (await servers[0]?.call("GET", "/v3/members")) as { members: { name: string; leader: boolean }[] };
    const leader = servers.find(({ place }) => told.members.some(({ name, leader }) => leader && name === place.name));
    const [one, other] = servers.filter((server) => server !== leader);
    if (!leader || !one || !other) throw new Error("no leader");
    await page.goto(leader.page("members"));
    const row = (server: Server) => page.getByRole("row").filter({ hasText: server.place.name });
    const { name, peer } = one.place;
    const open = row(one).getByRole("button", { name: `Change the peer URLs of ${name}` });
    const dialog = page.getByRole("dialog", { name: `Change the peer URLs of ${name}?` });
    const field = dialog.getByLabel("Where other members find it");
    const change = dialog.getByRole("button", { name: "Change", exact: true });
    await open.press("Enter");
    await expect(field).toHaveValue(`http://127.0.0.1:${peer}`);
    await expect(change).toBeDisabled();
    for (const [text, said] of [["", "one URL at least"], ["http://127.0.0.1", "is no peer URL"], [`http://127.0.0.1:${peer}/raft`, "is no peer URL"], [`http://127.0.0.1:${other.place.peer}`, `is where ${other.place.name} is`]] as const) {
      await field.fill(text);
      await expect(dialog).toContainText(said);
      await expect(change).toBeDisabled();
    }
    await accessible(page);
    // It is found there as well, by another name of the same machine.
    await field.fill(`http://localhost:${peer}`);
    await field.press("Enter");
    await expect(dialog).toHaveCount(0);
    await expect(row(one)).toContainText(`http://localhost:${peer}`);
    await leader.put("still", "there");

    await other.kill();
    await expect(row(other)).toContainText("silent");
    await open.click();
    await expect(dialog).toContainText("1 of 3 voters answer, and 2 are needed");
    await field.fill(`http://127.0.0.1:${peer}`);
    await expect(change).toBeDisabled();
    await accessible(page);
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
    await change.click();
    await expect(row(one)).toContainText(`http://127.0.0.1:${peer}`);
    await leader.put("still", "there");

    // What the server refuses is said in its words.
    await page.route("**/v3/members/*", (route) => route.continue({ postData: JSON.stringify({ peer_urls: ["http://here"] }) }));
    await open.click();
    await field.fill(`http://localhost:${peer}`);
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name);
    await change.click();
    await expect(dialog.getByRole("alert")).toContainText("given member URLs are invalid");
  } finally {
    for (const server of servers) await server.end();
  }
});

import { expect, test } from "vitest";

import { type Kept, MOST, complaintOf, consoleAt, elsewhere, kept, named, ofMember, read, without } from "./consoles";

test("the console of a server, or of one of its pages, has one address", () => {
  for (const text of ["https://tools.example/kv", "https://tools.example/kv/", "https://tools.example/kv/ui", "https://tools.example/kv/ui/#/keys/app/?search=x", " HTTPS://Tools.Example:443/kv/ui/ "]) {
    expect(consoleAt(text), text).toEqual({ url: "https://tools.example/kv/ui/" });
  }
  expect(consoleAt("http://[::1]:2379")).toEqual({ url: "http://[::1]:2379/ui/" });
});

test("what is no address for a browser, or may be a secret, is refused with the reason", () => {
  for (const text of ["", "db:2379", "localhost:2379", "ftp://db/", "javascript:alert(1)", "data:text/html,x", "http://", "http:///x", "http://a b/", "//db:2379"]) expect(consoleAt(text), text).toHaveProperty("why", expect.stringContaining("http://HOST:PORT"));
  expect(consoleAt("https://root:secret@db:2379")).toHaveProperty("why", expect.stringContaining("password"));
  expect(consoleAt("https://db:2379/?token=x")).toHaveProperty("why", expect.stringContaining("question mark"));
  expect(consoleAt(`https://db/${"x".repeat(600)}`)).toHaveProperty("why", expect.stringContaining("longer"));
});

test("they are kept by names, each address once, and there is an end to them", () => {
  const one = kept([], " staging ", "http://b:2379");
  expect(one).toEqual([{ name: "staging", url: "http://b:2379/ui/" }]);
  const two = kept(one, "production", "http://a:2379/ui/");
  expect(two.map(({ name }) => name)).toEqual(["production", "staging"]);
  expect(kept(two, "staging", "http://c:2379")).toEqual([two[0], { name: "staging", url: "http://c:2379/ui/" }]);
  expect(complaintOf(two, "other", "http://b:2379/ui")).toBe("It is kept as staging.");
  expect(complaintOf(two, " ", "http://c:2379")).toContain("name");
  expect(complaintOf(two, "x".repeat(41), "http://c:2379")).toContain("40 letters");
  expect(kept(two, "other", "http://b:2379")).toBe(two);
  expect(without(two, "staging")).toEqual([two[0]]);
  const full = Array.from({ length: MOST }, (_, at) => `n${at}`).reduce<readonly Kept[]>((all, name) => kept(all, name, `http://${name}:1`), []);
  expect(complaintOf(full, "more", "http://more:1")).toContain(`There are ${MOST}`);
  expect(complaintOf(full, "n3", "http://more:1")).toBeUndefined();
  expect(named(full, " n3 ")?.url).toBe("http://n3:1/ui/");
});

test("what a browser has kept, or a file says, is not trusted", () => {
  const all = kept(kept([], "a", "http://a:1"), "b", "http://b:1");
  expect(read(JSON.stringify(all))).toEqual({ all, leftOut: 0 });
  expect(read(null)).toEqual({ all: [], leftOut: 0 });
  for (const text of ["", "null", "{", "7", '{"name":"a"}']) expect(read(text, all), text).toEqual({ all, leftOut: 1 });
  const told = [null, 7, { name: "x" }, { name: "x", url: "javascript:alert(1)" }, { name: "y", url: "http://u:p@y:1" }, { name: "c", url: "http://a:1" }, { name: "a", url: "http://a:2" }];
  expect(read(JSON.stringify(told), all)).toEqual({ all: [{ name: "a", url: "http://a:2/ui/" }, all[1]], leftOut: 6 });
});

test("a member is where a browser finds it, and where it is not, that is said", () => {
  const here = "https://10.0.0.1:2379/ui/";
  expect(ofMember(["http://127.0.0.1:2379", "http://10.0.0.2:2379"], here)).toEqual({ url: "http://10.0.0.2:2379/ui/" });
  expect(ofMember(["http://127.0.0.1:22379"], "http://localhost:2379/ui/")).toEqual({ url: "http://127.0.0.1:22379/ui/" });
  expect(ofMember(["http://b.localhost:1", "unix://b"], "http://[::1]:2379/ui/")).toEqual({ url: "http://b.localhost:1/ui/" });
  expect(ofMember(["http://10.0.0.2:2379"], "https://tools.example/kv/ui/")).toEqual({ url: "http://10.0.0.2:2379/ui/" });
  for (const [urls, why] of [
    [[], "has not said"],
    [["unix:///run/keyport"], "not for browsers"],
    [["http://0.0.0.0:2379"], "nowhere"],
    [["http://[::]:2379"], "nowhere"],
    [["http://127.0.0.1:2379"], "machine that the browser is on"],
    [["http://localhost:2379"], "machine that the browser is on"],
    [["https://10.0.0.1:2379"], "as this page does"],
  ] as const) {
    expect(ofMember(urls, here), why).toHaveProperty("why", expect.stringContaining(why));
  }
});

test("revisions are of one history, and the rest of a place leads elsewhere, too", () => {
  expect(elsewhere("keys/app/a?rev=7&by=%3A")).toBe("keys/app/a?by=%3A");
  expect(elsewhere("diff/app/?from=3&to=7")).toBe("diff/app/");
  expect(elsewhere("watch?prefix=a/&prefix=b/")).toBe("watch?prefix=a%2F&prefix=b%2F");
  expect(elsewhere("keys/%F0%9F%97%9D%3Fa%25")).toBe("keys/%F0%9F%97%9D%3Fa%25");
});

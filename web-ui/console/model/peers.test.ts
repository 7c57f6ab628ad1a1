import { expect, test } from "vitest";

import { complaintOf, urlsOf } from "./peers";

const others = [{ name: "m2", peer_urls: ["http://b:2380"] }, { name: "", peer_urls: ["http://c:2380"] }];

test("what the server takes is taken", () => {
  for (const text of ["http://a:2380", " https://a.example:2380 ,http://[::1]:2380", "HTTP://10.0.0.4:1", "unix://m0:1", "unixs:///run/m"]) {
    expect(complaintOf(urlsOf(text), others), text).toBeUndefined();
  }
});

test("what the server refuses is refused, and it is said why", () => {
  for (const text of ["localhost:2380", "http://a", "http://a:2380/", "http://a:2380/x", "ftp://a:1", "http://a:99999", "http://a b:1", "http://:1", "http://a:1,http://b"]) {
    expect(complaintOf(urlsOf(text), others), text).toMatch(/ is no peer URL: /);
  }
  expect(complaintOf(urlsOf(" , "), others)).toContain("one URL at least");
  expect(complaintOf(["http://a:1", "http://b:2380"], others)).toBe("http://b:2380 is where m2 is.");
  expect(complaintOf(["http://c:2380"], others)).toBe("http://c:2380 is where another member is.");
});

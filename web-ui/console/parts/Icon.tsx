// Small drawings beside words.
const PATHS = {
  keys: "M3 4h10M3 8h10M3 12h6",
  overview: "M2 13V8m4 5V3m4 10V6m4 7v-3",
  watch: "M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8Zm6.5 2a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  clock: "M8 4v4l2.5 2M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z",
  lock: "M4 7h8v6H4zm2 0V5a2 2 0 1 1 4 0v2",
  members: "M8 3v4m0 0-4 3m4-3 4 3M8 3.5a1 1 0 1 0 0-2 1 1 0 0 0 0 2Zm-5 9a1.2 1.2 0 1 0 0-2.4 1.2 1.2 0 0 0 0 2.4Zm10 0a1.2 1.2 0 1 0 0-2.4 1.2 1.2 0 0 0 0 2.4Z",
  server: "M2.500 3h11v4h-11zm0 6h11v4h-11zM5 5h.01M5 11h.01",
  metrics: "M2 11.500 5.500 7l3 2.500L14 3.500M2 13.500h12",
  users: "M8 8a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5Zm-5 5.5c.5-3 2.5-4 5-4s4.500 1 5 4",
  backup: "M8 2v8m0 0 3-3m-3 3L5 7m-3 4v3h12v-3",
  console: "M2.500 4.500 6 8l-3.500 3.500M8 12h5.500",
  book: "M3 2.500h7a3 3 0 0 1 3 3v8H6a3 3 0 0 1-3-3z",
  learn: "M1.500 6 8 3l6.500 3L8 9zm3 1.500V11c1 1 2.200 1.500 3.500 1.500s2.500-.5 3.500-1.500V7.500",
  folder: "M2 4h4l1.500 2H14v7H2z",
  file: "M4 2h5l3 3v9H4zm5 0v3h3",
  search: "m10.500 10.500 3.500 3.500M12 7A5 5 0 1 1 2 7a5 5 0 0 1 10 0Z",
  plus: "M8 3v10M3 8h10",
  trash: "M3 4.500h10M6.500 4.500v-2h3v2m-5 0 .500 9h6l.500-9",
  diff: "M8 2v6M5 5h6M5 13h6",
  edit: "M3 13v-2.500L10.500 3 13 5.500 5.500 13z",
  move: "M2 8h10m0 0-3-3m3 3-3 3M14 3v10",
  star: "m8 2 1.900 3.900 4.300.600-3.100 3 .700 4.300L8 11.800 4.200 13.800l.700-4.300-3.100-3 4.300-.600z",
  copy: "M6 6h7v7H6zM3 10V3h7",
  close: "m4 4 8 8m0-8-8 8",
  more: "M3.500 8h.01M8 8h.01M12.500 8h.01",
  sun: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.500v1m0 11v1m6.500-6.500h-1m-11 0h-1m11-4.500-.7.7M4.200 11.800l-.7.7m0-9 .7.700m7.600 7.600.7.700",
  moon: "M13 9.500A5.500 5.500 0 0 1 6.500 3a5.500 5.500 0 1 0 6.500 6.500Z",
  auto: "M8 2a6 6 0 1 0 0 12zm0 0a6 6 0 0 1 0 12",
  out: "M6 3H3v10h3m4-8 3 3-3 3m3-3H6",
  alert: "M8 2 1.500 13.500h13zM8 6.500v3.500m0 1.500v.5",
  history: "M2.500 8a5.500 5.500 0 1 1 1.700 4M2.500 8 1 6.500M2.500 8 4 6.500M8 5v3l2 1.500",
  menu: "M2 4h12M2 8h12M2 12h12",
  down: "m4 6 4 4 4-4",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg width={size} height={size} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}

// Numbers of metrics, in the unit that the name says.
import { bytes, count } from "../../model/text";

export function isSize(name: string): boolean {
  return /_bytes(_total)?$/.test(name);
}

export function writerOf(name: string): (value: number) => string {
  if (isSize(name)) return (value) => (value < 0 ? plain(value) : bytes(value));
  if (/_milliseconds$/.test(name)) return (value) => time(value / 1_000);
  // Points in time are seconds, too, and are no stretches of it.
  if (/_seconds(_total)?$/.test(name) && !/(start_time|timestamp)/.test(name)) return time;
  return plain;
}

export function plain(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return count(value);
  const size = Math.abs(value);
  return size >= 1_000 ? count(Math.round(value)) : Number(value.toPrecision(3)).toString();
}

function time(seconds: number): string {
  const size = Math.abs(seconds);
  if (size === 0) return "0 s";
  if (size < 0.001) return `${plain(seconds * 1_000_000)} µs`;
  return size < 1 ? `${plain(seconds * 1_000)} ms` : `${plain(seconds)} s`;
}

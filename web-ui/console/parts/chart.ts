// A chart: uPlot, in a chunk of its own.
import "uplot/dist/uPlot.min.css";

import uPlot from "uplot";

export interface Series {
  label: string;
  /** The name of a colour in the theme: `--accent`. */
  colour: string;
  values: readonly (number | null)[];
}

export interface Chart {
  set: (times: readonly number[], series: readonly Series[]) => void;
  resize: (width: number) => void;
  destroy: () => void;
}

const HEIGHT = 120;
/** What may lie between two times on the axis: whole minutes, as they are written without seconds. */
const MINUTES = [1, 2, 5, 10, 15, 30, 60, 120, 360, 720, 1_440].map((count) => count * 60);

/** What may lie between two sizes: they are written in powers of 1,024. */
const SIZES = Array.from({ length: 60 }, (_, power) => 2 ** power);

export function draw(host: HTMLElement, series: readonly Series[], write: (value: number) => string, isSize: boolean): Chart {
  const colour = (name: string): string => getComputedStyle(host).getPropertyValue(name).trim();
  const axis = { stroke: () => colour("--text-soft"), grid: { stroke: () => colour("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  const chart = new uPlot(
    {
      width: host.clientWidth,
      height: HEIGHT,
      cursor: { y: false, points: { size: 6 } },
      legend: { show: false },
      padding: [8, 8, 0, 0],
      scales: { y: { range: (_, __, max) => [0, max > 0 ? max * 1.1 : 1] } },
      axes: [
        { ...axis, size: 22, space: 80, incrs: MINUTES, values: (_, splits) => splits.map((at) => new Date(at * 1_000).toTimeString().slice(0, 5)) },
        { ...axis, size: 62, space: 34, ...(isSize && { incrs: SIZES }), values: (_, splits) => splits.map(write) },
      ],
      series: [{}, ...series.map(({ label, colour: name }) => ({ label, stroke: () => colour(name), width: 1.5, points: { show: false } }))],
    },
    [[], ...series.map(() => [])],
    host,
  );
  return {
    set: (times, all) => chart.setData([[...times], ...all.map(({ values }) => [...values])]),
    resize: (width) => chart.setSize({ width, height: HEIGHT }),
    destroy: () => chart.destroy(),
  };
}

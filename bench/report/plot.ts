import { PEER_NAMES, type Peers } from "../peers/all.ts";
import type { CellSummary } from "./summary.ts";

/** What a panel of bars shows. */
interface Panel {
  readonly title: string;
  readonly value: (cell: CellSummary) => number;
  readonly label: (value: number) => string;
}

const PANELS: readonly Panel[] = [
  {
    title: "CPU a call, ms (shorter is better)",
    value: ({ cpuMsPerCall }) => cpuMsPerCall,
    label: (value) => value.toFixed(2),
  },
  {
    title: "calls a second (longer is better)",
    value: ({ callsPerSecond }) => callsPerSecond,
    label: (value) => value.toFixed(0),
  },
  {
    title: "resident memory, MiB (shorter is better)",
    value: ({ rssMiB }) => rssMiB,
    label: (value) => value.toFixed(0),
  },
];

const WIDTH = 860;
const LABEL_WIDTH = 290;
const VALUE_WIDTH = 60;
const BAR_HEIGHT = 18;
const BAR_GAP = 6;
const PANEL_GAP = 44;
const TOP = 56;
const OURS = "#2f7d4f";
const THEIRS = "#8a94a3";

/** Bars for each peer, with TLS and no latency upstream and the most calls at once. */
export function renderPlot(cells: readonly CellSummary[], peers: Peers): string {
  const inFlight = Math.max(...cells.map((cell) => cell.inFlight));
  const shown = cells
    .filter((cell) => cell.upstream === "tls" && cell.inFlight === inFlight)
    .sort((a, b) => PEER_NAMES.indexOf(a.peer) - PEER_NAMES.indexOf(b.peer));
  const panelHeight = shown.length * (BAR_HEIGHT + BAR_GAP) + PANEL_GAP;
  const height = TOP + PANELS.length * panelHeight;
  const panels = PANELS.map((panel, index) => renderPanel(panel, shown, peers, TOP + index * panelHeight));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="13">`,
    `<title>CPU a call, throughput and memory of each peer</title>`,
    `<rect width="100%" height="100%" fill="#ffffff"/>`,
    text(16, 28, `${inFlight} calls in flight, TLS upstream, medians`, 'font-size="16" font-weight="bold"'),
    ...panels,
    "</svg>\n",
  ].join("\n");
}

function renderPanel(panel: Panel, cells: readonly CellSummary[], peers: Peers, top: number): string {
  const longest = Math.max(...cells.map(panel.value));
  const room = WIDTH - LABEL_WIDTH - VALUE_WIDTH - 16;
  const bars = cells.flatMap((cell, index) => {
    const y = top + 14 + index * (BAR_HEIGHT + BAR_GAP);
    const value = panel.value(cell);
    const length = Math.max(1, (value / longest) * room);
    const colour = cell.peer.startsWith("keyd") ? OURS : THEIRS;
    return [
      text(LABEL_WIDTH - 8, y + 13, peers[cell.peer].title, 'text-anchor="end"'),
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${length.toFixed(1)}" height="${BAR_HEIGHT}" fill="${colour}"/>`,
      text(LABEL_WIDTH + length + 6, y + 13, panel.label(value)),
    ];
  });
  return [text(16, top, panel.title, 'font-weight="bold"'), ...bars].join("\n");
}

function text(x: number, y: number, content: string, attributes = ""): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  return `<text x="${x.toFixed(1)}" y="${y}" fill="#1d232b" ${attributes}>${escaped}</text>`;
}

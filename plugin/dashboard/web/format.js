// Numbers as people read them at night.

// short writes a count or rate with at most three digits.
export function short(n) {
  if (!Number.isFinite(n)) return "–";
  const a = Math.abs(n);
  if (a === 0) return "0";
  if (a < 0.01) return "<0.01";
  if (a < 10) return trim(n.toFixed(2));
  if (a < 100) return trim(n.toFixed(1));
  if (a < 999.5) return n.toFixed(0);
  for (const [unit, size] of [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]]) {
    if (a >= size * 0.9995) return trim(digits(n / size)) + unit;
  }
  return n.toFixed(0);
}

function digits(n) {
  const a = Math.abs(n);
  return a >= 99.95 ? n.toFixed(0) : a >= 9.995 ? n.toFixed(1) : n.toFixed(2);
}

function trim(t) {
  return t.includes(".") ? t.replace(/\.?0+$/, "") : t;
}

// whole writes a count with all of its digits.
export function whole(n) {
  return Math.round(n).toLocaleString("en-US");
}

export function bytes(n) {
  if (!Number.isFinite(n)) return "–";
  for (const [unit, size] of [["TiB", 2 ** 40], ["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (n >= size) return trim(digits(n / size)) + " " + unit;
  }
  return Math.round(n) + " B";
}

// span writes nanoseconds.
export function span(ns) {
  if (!(ns > 0)) return "–";
  if (ns < 1e3) return ns + " ns";
  if (ns < 1e6) return trim(digits(ns / 1e3)) + " µs";
  if (ns < 1e9) return trim(digits(ns / 1e6)) + " ms";
  return trim(digits(ns / 1e9)) + " s";
}

// long writes milliseconds, such as an age.
export function long(ms) {
  const seconds = Math.floor(ms / 1000);
  if (seconds < 1) return ms > 0 ? Math.round(ms) + "ms" : "0s";
  if (seconds < 60) return seconds + "s";
  if (seconds < 3600) return Math.floor(seconds / 60) + "m " + (seconds % 60) + "s";
  if (seconds < 86400) return Math.floor(seconds / 3600) + "h " + Math.floor((seconds % 3600) / 60) + "m";
  return Math.floor(seconds / 86400) + "d " + Math.floor((seconds % 86400) / 3600) + "h";
}

export function clock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB");
}

// Figures as text, for what moves with the page's clock and for single tasks: the same texts, to the
// character, as `runtime/events/src/figures.rs` writes. `runtime/events/tests/figures.json` holds both to them.

/** 0.00123 → "1.23 ms": three digits at most, and a unit. */
export function seconds(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 0.0005) return value <= 0 ? "0 s" : `${Math.round(value * 1e6)} µs`;
  if (value < 0.9995) return `${threeDigits(value * 1e3)} ms`;
  if (value < 99.95) return `${threeDigits(value)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** 1536 → "1.54 kB", in steps of a thousand. */
export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 1000) return `${Math.round(value)} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let scaled = value / 1000;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${threeDigits(scaled)} ${units[unit]}`;
}

/** 1234567 → "1,234,567". */
export function count(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : "–";
}

/** 1 task, 2 tasks. */
export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

/** A maximum over a median: "2.4 ×". */
export function ratio(value) {
  if (!Number.isFinite(value)) return value === Infinity ? "∞" : "–";
  return `${rounded(value, value >= 9.95 ? 0 : 1)} ×`;
}

function threeDigits(value) {
  if (value >= 99.95) return rounded(value, 0);
  return value >= 9.995 ? rounded(value, 1) : rounded(value, 2).replace(/0$/, "");
}

function rounded(value, digits) {
  const scale = 10 ** digits;
  return (Math.round(value * scale) / scale).toFixed(digits);
}

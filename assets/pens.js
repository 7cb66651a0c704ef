// The two pens the timeline is painted with: one for a canvas, one that writes SVG.

export const FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif";

/** Paints on a canvas's context. */
export class CanvasPen {
  constructor(context, font = FONT) {
    this.context = context;
    this.font = font;
    this.patterns = new Map();
  }

  rect(x, y, width, height, fill) {
    this.fill(fill);
    this.context.fillRect(x, y, width, height);
  }

  fill(colour) {
    // Setting a style parses it, and most bars have the colour of the one before.
    if (this.filled !== colour) {
      this.context.fillStyle = colour;
      this.filled = colour;
    }
  }

  hatch(x, y, width, height, colour) {
    if (!this.patterns.has(colour)) {
      const tile = document.createElement("canvas");
      tile.width = 6;
      tile.height = 6;
      const context = tile.getContext("2d");
      context.strokeStyle = colour;
      context.lineWidth = 1.4;
      context.beginPath();
      for (const shift of [-6, 0, 6]) {
        context.moveTo(shift, 6);
        context.lineTo(shift + 6, 0);
      }
      context.stroke();
      this.patterns.set(colour, this.context.createPattern(tile, "repeat"));
    }
    this.context.fillStyle = this.patterns.get(colour);
    this.filled = null;
    this.context.fillRect(x, y, width, height);
  }

  frame(x, y, width, height, colour, line, dash = null) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = line;
    context.setLineDash(dash ?? []);
    context.strokeRect(x + line / 2, y + line / 2, Math.max(width - line, 0.5), Math.max(height - line, 0.5));
  }

  line(x0, y0, x1, y1, colour, width, dash = null) {
    const { context } = this;
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.setLineDash(dash ?? []);
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
  }

  cross(x, y, size, colour) {
    this.line(x - size, y - size, x + size, y + size, colour, 2);
    this.line(x - size, y + size, x + size, y - size, colour, 2);
  }

  notch(x, y, size, colour) {
    const { context } = this;
    this.fill(colour);
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + size, y);
    context.lineTo(x, y + size);
    context.fill();
  }

  text(x, y, text, { colour, size, weight = 400, align = "start" }) {
    const { context } = this;
    this.fill(colour);
    const font = `${weight} ${size}px ${this.font}`;
    if (this.fonted !== font) {
      context.font = font;
      this.fonted = font;
    }
    context.textAlign = align === "middle" ? "center" : align;
    context.fillText(text, x, y);
  }

  clip(x, y, width, height, paint) {
    const { context } = this;
    context.save();
    context.beginPath();
    context.rect(x, y, width, height);
    context.clip();
    paint();
    context.restore();
    this.filled = null;
    this.fonted = null;
  }
}

/** Writes SVG. */
export class SvgPen {
  constructor() {
    this.parts = [];
    this.hatches = new Map();
    this.clips = [];
  }

  rect(x, y, width, height, fill) {
    this.parts.push(`<rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}" fill="${escape(fill)}"/>`);
  }

  hatch(x, y, width, height, colour) {
    if (!this.hatches.has(colour)) this.hatches.set(colour, `hatch${this.hatches.size}`);
    this.rect(x, y, width, height, `url(#${this.hatches.get(colour)})`);
  }

  frame(x, y, width, height, colour, line, dash = null) {
    this.parts.push(
      `<rect x="${n(x + line / 2)}" y="${n(y + line / 2)}" width="${n(Math.max(width - line, 0.5))}" height="${n(Math.max(height - line, 0.5))}" fill="none" stroke="${escape(colour)}" stroke-width="${line}"${dashes(dash)}/>`,
    );
  }

  line(x0, y0, x1, y1, colour, width, dash = null) {
    this.parts.push(
      `<path d="M${n(x0)} ${n(y0)}L${n(x1)} ${n(y1)}" stroke="${escape(colour)}" stroke-width="${width}"${dashes(dash)}/>`,
    );
  }

  cross(x, y, size, colour) {
    this.line(x - size, y - size, x + size, y + size, colour, 2);
    this.line(x - size, y + size, x + size, y - size, colour, 2);
  }

  notch(x, y, size, colour) {
    this.parts.push(`<path d="M${n(x)} ${n(y)}h${n(size)}L${n(x)} ${n(y + size)}z" fill="${escape(colour)}"/>`);
  }

  text(x, y, text, { colour, size, weight = 400, align = "start" }) {
    this.parts.push(
      `<text x="${n(x)}" y="${n(y)}" fill="${escape(colour)}" font-size="${size}"${weight === 400 ? "" : ` font-weight="${weight}"`}${align === "start" ? "" : ` text-anchor="${align}"`}>${escape(text)}</text>`,
    );
  }

  clip(x, y, width, height, paint) {
    this.clips.push(`<clipPath id="clip${this.clips.length}"><rect x="${n(x)}" y="${n(y)}" width="${n(width)}" height="${n(height)}"/></clipPath>`);
    this.parts.push(`<g clip-path="url(#clip${this.clips.length - 1})">`);
    paint();
    this.parts.push("</g>");
  }

  /** The document; `title` and `description` are for those who do not see it. */
  document(width, height, title, description) {
    const hatches = [...this.hatches].map(
      ([colour, id]) =>
        `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse"><path d="M-1 1L1 -1M0 6L6 0M5 7L7 5" stroke="${escape(colour)}" stroke-width="1.4"/></pattern>`,
    );
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${n(width)}" height="${n(height)}" viewBox="0 0 ${n(width)} ${n(height)}" role="img" aria-labelledby="title desc" font-family="${escape(FONT)}"><title id="title">${escape(title)}</title><desc id="desc">${escape(description)}</desc><defs>${hatches.join("")}${this.clips.join("")}</defs>${this.parts.join("")}</svg>`;
  }
}

const n = (value) => String(Math.round(value * 10) / 10);
const dashes = (dash) => (dash ? ` stroke-dasharray="${dash.join(" ")}"` : "");

/** Text for markup. */
export function escape(text) {
  return String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

// The colours of the page around a timeline.

import { DARK, LIGHT } from "./picture.js";

/** Whether the page is dark, as JupyterLab, an element around it, or the system says. */
export function isDark(root, systemIsDark) {
  const set = root.closest("[data-theme]")?.dataset.theme;
  if (set === "dark" || set === "light") return set === "dark";
  const lab = document.body?.dataset.jpThemeLight;
  return lab === undefined ? systemIsDark : lab === "false";
}

/** The colours to paint with. */
export function themeOf(root, context, dark) {
  const style = getComputedStyle(root);
  // Themes name colours in any way. A canvas names them in the one way that can be mixed.
  const colour = (name, otherwise) => {
    context.fillStyle = otherwise;
    context.fillStyle = style.getPropertyValue(name).trim();
    return context.fillStyle;
  };
  const base = dark ? DARK : LIGHT;
  return {
    ...base,
    ink: colour("--pt-ink", base.ink),
    muted: colour("--pt-muted", base.muted),
    line: colour("--pt-line", base.line),
    band: colour("--pt-band", base.band),
    background: colour("--pt-background", base.background),
    alarm: colour("--pt-alarm", base.alarm),
    mark: colour("--pt-ink", base.mark),
    mixed: undefined,
  };
}

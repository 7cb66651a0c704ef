// The elements a timeline is made of, and making elements.

/** The timeline's elements, empty, inside of `parent`. */
export function build(parent) {
  const root = element("section", { class: "partita-timeline" });
  root.innerHTML = `
    <header class="pt-head">
      <button type="button" class="pt-toggle" data-pt="toggle" aria-label="Timeline" title="Show or hide the timeline" hidden></button>
      <h3 data-pt="title"></h3><span class="pt-state" data-pt="state"></span>
      <label class="pt-pick" hidden><span class="pt-sr">Job</span><select data-pt="picker"></select></label>
      <span class="pt-tools">
        <button type="button" data-pt="closer" title="Zoom in (+, or Ctrl and wheel)" aria-label="Zoom in">+</button>
        <button type="button" data-pt="wider" title="Zoom out (-)" aria-label="Zoom out">−</button>
        <button type="button" data-pt="fit" title="Show all of the job (0)">all</button>
        <button type="button" data-pt="save" title="Save this picture as SVG">save</button>
      </span>
    </header>
    <p class="pt-summary" data-pt="summary"></p>
    <p class="pt-error" data-pt="error" role="alert" hidden></p>
    <p class="pt-empty" data-pt="empty">No job yet.</p>
    <div data-pt="body">
    <div class="pt-view" data-pt="view">
      <div class="pt-scroll" data-pt="scroll"><canvas data-pt="canvas" tabindex="0" role="application"></canvas><div data-pt="space"></div></div>
      <div class="pt-tip" data-pt="tip" popover="manual" hidden></div>
    </div>
    <ul class="pt-legend" data-pt="legend" aria-label="How to read the timeline">
      <li data-mark="wait"><i class="pt-m-wait"></i>waiting, slot free</li>
      <li data-mark="fetch"><i class="pt-m-fetch"></i>fetch</li>
      <li data-mark="compute"><i class="pt-m-compute"></i>compute</li>
      <li data-mark="write"><i class="pt-m-write"></i>write</li>
      <li data-mark="failed"><i class="pt-m-failed"></i>failed</li>
      <li data-mark="retried"><i class="pt-m-retried"></i>run again</li>
      <li data-mark="copy"><i class="pt-m-copy"></i>speculative copy</li>
      <li data-mark="beaten"><i class="pt-m-beaten"></i>not needed: another was faster</li>
      <li data-mark="lost"><i class="pt-m-lost"></i>worker lost</li>
    </ul>
    <div class="pt-wide"><table class="pt-stages">
      <caption class="pt-sr">Stages and how evenly their tasks' times are spread</caption>
      <thead><tr>
        <th scope="col">Stage</th><th scope="col">Tasks</th><th scope="col">Time</th><th scope="col">Median task</th>
        <th scope="col">Slowest</th><th scope="col" title="Slowest task over median task">Ratio</th>
        <th scope="col" title="Each task's time, from 0 to the slowest; the dark line is the median">Spread</th>
        <th scope="col">Rows out</th><th scope="col">Read</th><th scope="col">Shuffled</th><th scope="col">Spilled</th>
        <th scope="col">Cache hits</th>
      </tr></thead>
      <tbody data-pt="stages"></tbody>
    </table></div>
    </div>
    <p class="pt-sr" data-pt="live" role="status" aria-live="polite"></p>
    <p class="pt-sr" data-pt="spoken" aria-live="polite"></p>`;
  parent.append(root);
  return root;
}

/** The row of a stage, empty. */
export function stageRow() {
  const row = element("tr");
  row.innerHTML = `<th scope="row"><i class="pt-swatch" aria-hidden="true"></i><span class="pt-name"></span></th>
    <td><span></span><small></small></td><td></td><td></td>
    <td><span></span><button type="button" title="Show this task"></button></td><td class="pt-ratio"></td>
    <td class="pt-strip"><canvas width="96" height="16" role="img" aria-label="No task has finished"></canvas></td>
    <td></td><td></td><td></td><td></td><td></td>`;
  return row;
}

/** An element with attributes and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Sets a text, if it is another one: screen readers speak what changes. */
export function set(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

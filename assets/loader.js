// What a timeline's model carries: where the modules are, which one model holds for all of them, so that
// they travel once. They are loaded once a page, and import each other by addresses made here.

const LIBRARY = "%LIBRARY%";

async function load(manager) {
  const library = await manager.get_model(LIBRARY);
  const addresses = new Map();
  for (const [name, text] of library.get("modules")) {
    const linked = text.replace(/ from "\.\/([\w.]+)"/g, (_, other) => ` from "${addresses.get(other)}"`);
    const named = `${linked}\n//# sourceURL=partita/${name}\n`;
    addresses.set(name, URL.createObjectURL(new Blob([named], { type: "text/javascript" })));
  }
  const { widget } = await import(addresses.get("widget.js"));
  return () => widget(library.get("style"));
}

export default () => {
  let made = null;
  const ready = (model) => {
    made ??= (async () => {
      const loaded = (globalThis.partitaTimelines ??= new Map());
      if (!loaded.has(LIBRARY)) loaded.set(LIBRARY, load(model.widget_manager));
      const of = (await loaded.get(LIBRARY))();
      of.initialize({ model });
      return of;
    })();
    return made;
  };
  return {
    // Not waited for: until a model is initialized its messages wait, and not for long.
    initialize({ model }) {
      ready(model).catch((error) => console.error("Partita's timeline cannot be loaded:", error));
    },
    async render(context) {
      return (await ready(context.model)).render(context);
    },
  };
};

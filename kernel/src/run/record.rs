use partita_bridge::{MimeBundle, Stream};
use serde_json::{Map, Value, json};

use partita_interpreter::{Outcome, Output};

/// Records the outputs of one cell of a notebook, in the notebook's own format.
pub struct Record<'a> {
    /// All cells of the notebook, because a later cell may update a display.
    pub cells: &'a mut [Value],
    /// The index of the running cell.
    pub index: usize,
    /// Its execution count.
    pub number: u32,
    /// The displays by id, each with the indexes of its cell and output.
    pub displays: &'a mut Vec<(String, usize, usize)>,
    /// Whether the next output replaces all earlier ones.
    pub clear: bool,
}

impl Record<'_> {
    /// Adds one output.
    pub fn output(&mut self, output: Output) {
        match output {
            Output::Text { stream, text } => self.text(stream, &text),
            Output::Display { id, bundle } => {
                self.push(json!({
                    "output_type": "display_data", "data": data(&bundle), "metadata": {},
                }));
                if let Some(id) = id {
                    let at = self.outputs().map_or(0, |outputs| outputs.len().saturating_sub(1));
                    self.displays.push((id, self.index, at));
                }
            }
            Output::UpdateDisplay { id, bundle } => {
                for (_, cell, at) in self.displays.iter().filter(|(known, ..)| *known == id) {
                    if let Some(shown) = self.cells[*cell].pointer_mut(&format!("/outputs/{at}/data")) {
                        *shown = data(&bundle);
                    }
                }
            }
            Output::ClearOutput { wait: true } => self.clear = true,
            Output::ClearOutput { wait: false } => self.clear_now(),
            // A pager needs a person; the rest is not output.
            Output::Comm(_)
            | Output::InputRequest { .. }
            | Output::Page(_)
            | Output::Events { .. }
            | Output::ProcessEnded => {}
        }
    }

    /// Adds the cell's value or error.
    pub fn outcome(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Finished(Some(bundle)) if !bundle.is_empty() => {
                let execution_count = self.number;
                self.push(json!({
                    "output_type": "execute_result", "execution_count": execution_count,
                    "data": data(bundle), "metadata": {},
                }));
            }
            Outcome::Finished(_) => {}
            Outcome::Failed(error) => self.push(json!({
                "output_type": "error", "ename": error.name, "evalue": error.message,
                "traceback": error.traceback,
            })),
        }
    }

    fn text(&mut self, stream: Stream, text: &str) {
        let name = match stream {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        };
        if self.clear {
            self.clear_now();
        }
        let last = self.outputs().and_then(|outputs| outputs.last_mut());
        if let Some(last) = last.filter(|last| last["name"] == name) {
            let so_far: String =
                last["text"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            last["text"] = lines(&(so_far + text));
            return;
        }
        self.push(json!({"output_type": "stream", "name": name, "text": lines(text)}));
    }

    fn push(&mut self, output: Value) {
        if self.clear {
            self.clear_now();
        }
        if let Some(outputs) = self.outputs() {
            outputs.push(output);
        }
    }

    fn clear_now(&mut self) {
        self.clear = false;
        self.displays.retain(|(_, cell, _)| *cell != self.index);
        if let Some(outputs) = self.outputs() {
            outputs.clear();
        }
    }

    fn outputs(&mut self) -> Option<&mut Vec<Value>> {
        self.cells[self.index].get_mut("outputs")?.as_array_mut()
    }
}

/// Text as notebooks store it: one entry per line, with its line end.
fn lines(text: &str) -> Value {
    text.split_inclusive('\n').collect::<Vec<_>>().into()
}

fn data(bundle: &MimeBundle) -> Value {
    let mut data = Map::new();
    for (mime, content) in &bundle.data {
        let is_json = mime == "application/json" || mime.ends_with("+json");
        let is_text = mime.starts_with("text/") || mime.ends_with("+xml") || mime == "application/javascript";
        let value = match serde_json::from_str(content) {
            Ok(value) if is_json => value,
            _ if is_text => lines(content),
            _ => content.as_str().into(),
        };
        data.insert(mime.clone(), value);
    }
    data.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(outputs: Vec<Output>) -> Value {
        let mut cells = [json!({"outputs": []}), json!({"outputs": []})];
        let mut displays = Vec::new();
        let mut record =
            Record { cells: &mut cells, index: 1, number: 2, displays: &mut displays, clear: false };
        outputs.into_iter().for_each(|output| record.output(output));
        cells[1]["outputs"].clone()
    }

    fn text(text: &str) -> Output {
        Output::Text { stream: Stream::Stdout, text: text.into() }
    }

    #[test]
    fn text_of_one_stream_is_one_output_and_cut_into_lines() {
        let other = Output::Text { stream: Stream::Stderr, text: "e".into() };
        let outputs = recorded(vec![text("a\nb"), text("c\n"), other, text("d")]);
        assert_eq!(outputs[0]["text"], json!(["a\n", "bc\n"]));
        assert_eq!((&outputs[1]["name"], &outputs[2]["text"]), (&json!("stderr"), &json!(["d"])));
    }

    #[test]
    fn an_updated_display_shows_its_last_state_where_it_was() {
        let display = |text: &str| MimeBundle::text(text).with("application/json", "{\"a\": 1}");
        let outputs = recorded(vec![
            Output::Display { id: Some("p".into()), bundle: display("old") },
            text("between"),
            Output::UpdateDisplay { id: "p".into(), bundle: display("new") },
        ]);
        assert_eq!(outputs[0]["data"], json!({"text/plain": ["new"], "application/json": {"a": 1}}));
        assert_eq!(outputs.as_array().unwrap().len(), 2);
    }

    #[test]
    fn clearing_takes_effect_at_once_or_with_the_next_output() {
        assert_eq!(recorded(vec![text("a"), Output::ClearOutput { wait: false }]), json!([]));
        let waiting = recorded(vec![text("a"), Output::ClearOutput { wait: true }]);
        assert_eq!(waiting[0]["text"], json!(["a"]));
        let then = recorded(vec![text("a"), Output::ClearOutput { wait: true }, text("b")]);
        assert_eq!(then[0]["text"], json!(["b"]));
    }
}

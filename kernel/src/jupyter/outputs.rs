use std::future::Future;
use std::time::Duration;

use jupyter_protocol::{
    ClearOutput, DisplayData, JupyterMessage, Stdio, StreamContent, Transient, UpdateDisplayData,
};
use partita_bridge::Stream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::iopub::Publisher;
use super::mime::media;
use super::shell::LastParent;
use crate::interpreter::Output;

/// How long text may wait for more text before it is shown.
const COALESCE: Duration = Duration::from_millis(20);
/// Text beyond this is sent at once. Front ends redraw on each message, and servers cap their rate.
const MAX_STREAM_BYTES: usize = 64 << 10;

/// Outputs on their way from a cell to the front end; beyond that the cell is slowed.
pub const OUTPUT_QUEUE: usize = 256;

/// Publishes what arrives while no cell runs, as a consequence of the last cell. A task of its own,
/// so that nothing ever waits for it behind a running cell.
pub async fn forward_background(
    mut outputs: mpsc::Receiver<Output>,
    publisher: Publisher,
    last_parent: LastParent,
) {
    while let Some(first) = outputs.recv().await {
        let parent = last_parent.borrow().clone();
        // Long enough for text to gather; then everything that has.
        let wait = tokio::time::sleep(COALESCE);
        let mut forwarder = Forwarder::new(&publisher, parent.as_deref(), false);
        forwarder.forward(first).await;
        forwarder.until(&mut outputs, wait).await;
    }
}

/// Publishes outputs as consequences of one request, text in few messages instead of one a line.
pub struct Forwarder<'a> {
    publisher: &'a Publisher,
    parent: Option<&'a JupyterMessage>,
    /// A silent request shows nothing.
    silent: bool,
    pending: Option<Pending>,
}

struct Pending {
    stream: Stream,
    text: String,
    due: Instant,
}

impl<'a> Forwarder<'a> {
    /// Nothing is pending at first.
    pub fn new(publisher: &'a Publisher, parent: Option<&'a JupyterMessage>, silent: bool) -> Self {
        Self { publisher, parent, silent, pending: None }
    }

    /// Forwards until `done` is ready, and everything sent before that.
    pub async fn until<T>(
        mut self,
        outputs: &mut mpsc::Receiver<Output>,
        done: impl Future<Output = T>,
    ) -> T {
        tokio::pin!(done);
        let value = loop {
            tokio::select! {
                value = &mut done => break value,
                Some(output) = outputs.recv() => self.forward(output).await,
                () = self.pending_due() => self.flush().await,
            }
        };
        while let Ok(output) = outputs.try_recv() {
            self.forward(output).await;
        }
        self.flush().await;
        value
    }

    async fn pending_due(&self) {
        match &self.pending {
            Some(pending) => tokio::time::sleep_until(pending.due).await,
            None => std::future::pending().await,
        }
    }

    async fn forward(&mut self, output: Output) {
        if self.silent {
            return;
        }
        match output {
            Output::Text { stream, text } => self.text(stream, text).await,
            Output::Display { id, bundle } => {
                self.flush().await;
                let transient = id.map(|id| Transient { display_id: Some(id) });
                let data = DisplayData { transient, ..DisplayData::new(media(&bundle)) };
                self.publisher.publish(data, self.parent).await;
            }
            Output::UpdateDisplay { id, bundle } => {
                self.flush().await;
                self.publisher.publish(UpdateDisplayData::new(media(&bundle), &id), self.parent).await;
            }
            Output::ClearOutput { wait } => {
                self.flush().await;
                self.publisher.publish(ClearOutput { wait }, self.parent).await;
            }
            Output::Comm(_) | Output::InputRequest { .. } | Output::Page(_) | Output::Events { .. } => {}
        }
    }

    async fn text(&mut self, stream: Stream, text: String) {
        if self.pending.as_ref().is_some_and(|pending| pending.stream != stream) {
            self.flush().await;
        }
        match &mut self.pending {
            Some(pending) => pending.text.push_str(&text),
            None => self.pending = Some(Pending { stream, text, due: Instant::now() + COALESCE }),
        }
        if self.pending.as_ref().is_some_and(|pending| pending.text.len() >= MAX_STREAM_BYTES) {
            self.flush().await;
        }
    }

    async fn flush(&mut self) {
        let Some(Pending { stream, text, .. }) = self.pending.take() else { return };
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (chunk, left) = rest.split_at(rest.floor_char_boundary(MAX_STREAM_BYTES));
            rest = left;
            let name = match stream {
                Stream::Stdout => Stdio::Stdout,
                Stream::Stderr => Stdio::Stderr,
            };
            self.publisher.publish(StreamContent { name, text: chunk.to_owned() }, self.parent).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ExecuteRequest, JupyterMessage};
    use partita_bridge::MimeBundle;
    use serde_json::{Value, json};

    use super::*;
    use crate::jupyter::iopub::recorded;

    fn text(stream: Stream, text: &str) -> Output {
        Output::Text { stream, text: text.to_owned() }
    }

    /// Type and content of what is published for outputs that are all there when the cell ends.
    async fn published(outputs: Vec<Output>, silent: bool) -> Vec<(String, Value)> {
        let parent = JupyterMessage::from(ExecuteRequest::new(String::new()));
        let (publisher, mut published) = recorded();
        let (sender, mut receiver) = mpsc::channel(OUTPUT_QUEUE);
        for output in outputs {
            sender.send(output).await.unwrap();
        }
        Forwarder::new(&publisher, Some(&parent), silent).until(&mut receiver, async {}).await;
        let describe = |message: JupyterMessage| {
            assert_eq!(message.parent_header.unwrap().msg_id, parent.header.msg_id);
            (message.header.msg_type, serde_json::to_value(&message.content).unwrap())
        };
        published().into_iter().map(describe).collect()
    }

    fn stream(name: &str, text: &str) -> (String, Value) {
        ("stream".to_owned(), json!({"name": name, "text": text}))
    }

    #[tokio::test]
    async fn displays_updates_and_clearing_keep_their_place_among_the_text() {
        let bundle = MimeBundle::text("1").with("text/html", "<b>1</b>");
        let data = json!({"text/plain": "1", "text/html": "<b>1</b>"});
        let (id, transient) = ("d".to_owned(), json!({"display_id": "d"}));
        let outputs = vec![
            text(Stream::Stdout, "a"),
            text(Stream::Stdout, "b\n"),
            Output::Display { id: Some(id.clone()), bundle: bundle.clone() },
            Output::Display { id: None, bundle: bundle.clone() },
            text(Stream::Stderr, "c"),
            Output::UpdateDisplay { id, bundle },
            Output::ClearOutput { wait: true },
            text(Stream::Stderr, "d"),
        ];
        let expected = [
            stream("stdout", "ab\n"),
            ("display_data".into(), json!({"data": data, "metadata": {}, "transient": transient})),
            ("display_data".into(), json!({"data": data, "metadata": {}})),
            stream("stderr", "c"),
            ("update_display_data".into(), json!({"data": data, "metadata": {}, "transient": transient})),
            ("clear_output".into(), json!({"wait": true})),
            stream("stderr", "d"),
        ];
        assert_eq!(published(outputs, false).await, expected);
    }

    #[tokio::test]
    async fn text_is_cut_between_characters_into_bounded_messages() {
        let long = "aé".repeat(MAX_STREAM_BYTES / 2);
        let messages = published(vec![text(Stream::Stdout, &long)], false).await;
        assert_eq!(messages.len(), 2);
        let texts: Vec<&str> =
            messages.iter().map(|(_, content)| content["text"].as_str().unwrap()).collect();
        assert!(texts.iter().all(|text| text.len() <= MAX_STREAM_BYTES));
        assert_eq!(texts.concat(), long);
    }

    #[tokio::test]
    async fn a_silent_request_publishes_nothing() {
        let outputs = vec![text(Stream::Stdout, "a"), Output::ClearOutput { wait: false }];
        assert!(published(outputs, true).await.is_empty());
    }
}
